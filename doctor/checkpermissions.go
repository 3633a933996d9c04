package doctor

import "strings"

// checkPermissions tells which calls are refused to whoever runs this.
func checkPermissions(f Facts, out *findings) {
	allowed := 0
	for _, p := range f.Permissions {
		switch {
		case p.Err == nil:
			allowed++
		case isDenied(p.Err) && (strings.Contains(causeOf(p.Err), "kms:") || strings.HasPrefix(causeOf(p.Err), "KMS")):
			out.fail("allow kms:Decrypt on the stream's key: towpath iam -stream-key ARN prints the policy", "%s on %s: the key of the stream is refused (%s)", p.Action, p.On, causeOf(p.Err))
		case strings.HasPrefix(causeOf(p.Err), "KMS") && !strings.HasPrefix(causeOf(p.Err), "KMSThrottling"):
			out.fail("enable the key in KMS again, or undo its deletion", "%s on %s: the key of the stream cannot be used (%s)", p.Action, p.On, causeOf(p.Err))
		case isDenied(p.Err):
			out.fail("allow it: towpath iam prints the policy", "%s on %s is not allowed", p.Action, p.On)
		default:
			out.note("%s on %s could not be tried: %s", p.Action, p.On, causeOf(p.Err))
		}
	}
	if allowed > 0 && allowed == len(f.Permissions) {
		out.ok("%s allowed to whoever runs this", are(allowed, "call"))
	}
	if f.Unwritten > 0 {
		out.note("%s not tried; -probe-writes tries them, with conditions that cannot hold", are(f.Unwritten, "write"))
	}
	if len(f.Unprobed) > 0 {
		out.note("not tried, as that would be doing it: %s", strings.Join(f.Unprobed, ", "))
	}
}
