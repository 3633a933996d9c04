package dashboard

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// policy lets the page load its own parts and nothing else: no inline script or
// style, nothing of another origin, no form, no frame around it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guarded sets what every answer carries. None carries a cookie, and none allows
// another origin to read it.
func guarded(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
}

// refused says why a request is not answered; status 0 is that it is.
func refused(r *http.Request, hosts []string) (status int, why string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return http.StatusMethodNotAllowed, "this page is only read: GET and HEAD"
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !expected(r.Host, local, hosts) {
		return http.StatusForbidden, "this host name is not one that the page is served for"
	}
	// A page of another origin cannot read an answer, and shall not take up a
	// viewer's place either. Following a link from there to the page is no harm.
	link := r.Header.Get("Sec-Fetch-Mode") == "navigate" && asked(r) == ""
	if site := r.Header.Get("Sec-Fetch-Site"); (site == "cross-site" || site == "same-site") && !link {
		return http.StatusForbidden, "this page is not for pages of other origins"
	}
	return 0, ""
}

// expected reports whether a request may have been made for this host name.
// Whoever lets a name of their own lead to 127.0.0.1 gets a browser to ask a
// server there, and to hand over the answers as those of their own page; so on
// loopback only names that lead there anyway are answered. Elsewhere the names
// are known to whoever set the service up alone.
func expected(host string, local net.Addr, hosts []string) bool {
	name := strings.ToLower(strings.TrimSuffix(hostOf(host), "."))
	if slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, name) }) {
		return true
	}
	if loopback(local) {
		ip, err := netip.ParseAddr(name)
		return name == "localhost" || err == nil && ip.Unmap().IsLoopback()
	}
	return len(hosts) == 0
}

// hostOf is a host without its port and brackets.
func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// loopback reports whether an address can be reached from this host alone. One
// that is not known is taken to be no such.
func loopback(addr net.Addr) bool {
	if addr == nil {
		return false
	}
	at, err := netip.ParseAddrPort(addr.String())
	return err == nil && at.Addr().Unmap().IsLoopback()
}
