/* Linked into static programs (DEPOT_STATIC): host and user names come from files and DNS alone.
 *
 * /etc/nsswitch.conf may name modules (resolve, mdns4_minimal, sss, ...). A static program would load their shared
 * objects, and with them the machine's own libc, whose version is not the one linked here: glibc does not support
 * that, and it may crash. "files" and "dns" are inside libc.a since glibc 2.34.
 */
#include <nss.h>

__attribute__((constructor)) static void use_built_in_name_services(void) {
  __nss_configure_lookup("hosts", "files dns");
  __nss_configure_lookup("passwd", "files");
  __nss_configure_lookup("group", "files");
  __nss_configure_lookup("services", "files");
}
