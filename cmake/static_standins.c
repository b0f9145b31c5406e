/* Stand-ins that close the static link (DEPOT_STATIC); nothing else is ever linked with them.
 *
 * Debian's libcurl.a is one build for everybody: it also refers to GSSAPI (Negotiate, SOCKS5 and FTP logins), to
 * OpenLDAP (ldap://) and to librtmp (rtmp://), of which Debian has no archives that could be linked. We speak http
 * and https alone and never ask for Negotiate, so these functions are not reached. Should one be reached all the
 * same, it reports failure in the way of its library, and libcurl reports that to us: no crash, no false success.
 *
 * libpq.a is the same case, in depot-pool alone: GSSAPI for logins and encryption, which the pool switches off, and LDAP for
 * looking up service names, which it has none of.
 *
 * libcurl and libpq compiled their calls against the real prototypes; a C function that takes no arguments may be called with
 * some on every platform we build for, because the caller owns the argument area.
 */
#include <stddef.h>

#define GSS_FAILS(name) \
  unsigned name(void) { return 13U << 16; } /* GSS_S_FAILURE, RFC 2744 section 3.9.1 */
#define LDAP_FAILS(name) \
  int name(void) { return 0x5c; } /* LDAP_NOT_SUPPORTED of OpenLDAP's ldap.h */
#define RTMP_FAILS(name) \
  int name(void) { return 0; } /* librtmp's FALSE */
#define GIVES_NULL(name) \
  void* name(void) { return NULL; }
#define DOES_NOTHING(name) \
  void name(void) {}

void* GSS_C_NT_HOSTBASED_SERVICE = NULL;
GSS_FAILS(gss_acquire_cred)
GSS_FAILS(gss_delete_sec_context)
GSS_FAILS(gss_display_name)
GSS_FAILS(gss_display_status)
GSS_FAILS(gss_import_name)
GSS_FAILS(gss_init_sec_context)
GSS_FAILS(gss_inquire_context)
GSS_FAILS(gss_release_buffer)
GSS_FAILS(gss_release_cred)
GSS_FAILS(gss_release_name)
GSS_FAILS(gss_unwrap)
GSS_FAILS(gss_wrap)
GSS_FAILS(gss_wrap_size_limit)

LDAP_FAILS(ber_sockbuf_add_io)
LDAP_FAILS(ldap_abandon_ext)
LDAP_FAILS(ldap_get_attribute_ber)
LDAP_FAILS(ldap_get_dn_ber)
LDAP_FAILS(ldap_get_option)
GIVES_NULL(ldap_first_entry)
GIVES_NULL(ldap_get_values_len)
GIVES_NULL(ldap_init)
LDAP_FAILS(ldap_init_fd)
LDAP_FAILS(ldap_parse_result)
LDAP_FAILS(ldap_parse_sasl_bind_result)
LDAP_FAILS(ldap_sasl_bind)
LDAP_FAILS(ldap_search_ext)
LDAP_FAILS(ldap_search_st)
LDAP_FAILS(ldap_set_option)
LDAP_FAILS(ldap_simple_bind)
LDAP_FAILS(ldap_start_tls)
LDAP_FAILS(ldap_unbind)
LDAP_FAILS(ldap_unbind_ext)
LDAP_FAILS(ldap_url_parse)
int ldap_pvt_url_scheme2proto(void) { return -1; }
int ldap_result(void) { return -1; }
int ldap_count_entries(void) { return -1; }
int ldap_msgtype(void) { return -1; }
const char* ldap_err2string(void) { return "LDAP is not part of this program"; }
DOES_NOTHING(ber_bvfree)
DOES_NOTHING(ber_free)
DOES_NOTHING(ber_memfree)
DOES_NOTHING(ber_memvfree)
DOES_NOTHING(ldap_free_urldesc)
DOES_NOTHING(ldap_memfree)
DOES_NOTHING(ldap_value_free_len)
LDAP_FAILS(ldap_msgfree)

GIVES_NULL(RTMP_Alloc)
DOES_NOTHING(RTMP_Close)
DOES_NOTHING(RTMP_Free)
DOES_NOTHING(RTMP_Init)
DOES_NOTHING(RTMP_SetBufferMS)
RTMP_FAILS(RTMP_Connect1)
RTMP_FAILS(RTMP_ConnectStream)
RTMP_FAILS(RTMP_SetupURL)
int RTMP_Read(void) { return -1; }
int RTMP_Write(void) { return -1; }
