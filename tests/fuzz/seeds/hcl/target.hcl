variable_like = "v${1 + 1}"
list = [for i, s in ["a", "b"] : "${i}${s}" if s != ""]
map = { for k, v in { a = 1, "b" = 2 } : k => v... }
function "f" {
  params = [a]
  variadic_params = rest
  result = concat([a], rest...)
}
target "default" {
  tags = f("x", "y")[*]
  args = {
    A = <<-EOT
      one ${upper("b")}
      %{ if true ~}
      two
      %{ endif }
    EOT
    B = true ? 1 : "a"
    C = format("%05.2f|%x|%v", 1.5, 255, list)
    D = regex_replace("a.b", "([a-z])", "$1-")
    E = -(7 % 3) / 2 >= 1e3 && !false || null == null
    F = try(nosuch.x["y"].0, jsondecode("{\"a\":[1,null]}").a[1], cidrsubnet("fd00::/16", 4, 3))
    G = formatdate("YYYY-MM-DD'T'hh:mm:ssZ", timeadd("2024-02-03T04:05:06+02:00", "-1h1.5s"))
  }
}
