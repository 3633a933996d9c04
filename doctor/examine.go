package doctor

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/smithy-go"
)

// checks are all checks, in the order of a report: the stream, the tables, the
// positions, the fleet, and what surrounds them.
var checks = []struct {
	name  string
	check func(Facts, *findings)
}{
	{"stream", checkStream},
	{"encryption", checkEncryption},
	{"fan-out", checkFanOut},
	{"tables", checkTables},
	{"claim", checkClaim},
	{"rows", checkRows},
	{"lineage", checkLineage},
	{"retention", checkRetention},
	{"distribution", checkDistribution},
	{"workers", checkWorkers},
	{"owners", checkOwners},
	{"poison", checkPoison},
	{"told", checkTold},
	{"KCL", checkNeighbours},
	{"permissions", checkPermissions},
	{"clock", checkClock},
	{"version", checkVersion},
	{"not asked", checkUnanswered},
}

// Examine says what the facts mean. It is a function of them alone.
func Examine(f Facts) Report {
	r := Report{Application: f.Application, Stream: cmp.Or(f.Stream.Name, f.Stream.ARN)}
	for _, c := range checks {
		found := &findings{check: c.name}
		c.check(f, found)
		r.Findings = append(r.Findings, found.all...)
	}
	return r
}

// checkClock: signatures are refused when a host is five minutes off, and long
// before that what a host says in its log is misleading. The service tells its
// time in whole seconds.
func checkClock(f Facts, out *findings) {
	if f.Stream.Now.IsZero() || f.HostNow.IsZero() {
		return
	}
	const near, far = 5 * time.Second, time.Minute
	off := f.HostNow.Sub(f.Stream.Now).Round(time.Second)
	const do = "see that this host keeps its time, as by chrony or the Amazon Time Sync Service"
	switch {
	case off.Abs() > far:
		out.warn(do, "this host's clock is %v off the service's; at five minutes requests are refused", off)
	case off.Abs() > near:
		out.add(Note, do, "this host's clock is %v off the service's", off)
	default:
		out.ok("this host's clock agrees with the service's")
	}
}

// checkVersion tells which versions are at work.
func checkVersion(f Facts, out *findings) {
	seen := map[int]int{}
	for _, s := range f.Second.Sessions {
		seen[s.Version]++
	}
	switch {
	case len(seen) > 1:
		var parts []string
		for v, n := range seen {
			parts = append(parts, counted(n, "worker")+" of protocol "+itoa(v))
		}
		slices.Sort(parts)
		out.add(Note, "finish the deployment that is under way", "workers of several versions share the tables: %s", strings.Join(parts, ", "))
	case f.Version != "":
		out.note("this is towpath %s", f.Version)
	}
}

// checkUnanswered: nothing is concluded from what could not be asked, and
// somebody has to know.
func checkUnanswered(f Facts, out *findings) {
	for _, u := range f.Unanswered {
		if isDenied(u.Err) {
			out.warn("allow it to whoever runs this: towpath iam -mode doctor prints the policy", "%s: not allowed", u.What)
			continue
		}
		out.warn("", "%s: %s", u.What, causeOf(u.Err))
	}
}

// isDenied recognises a missing permission.
func isDenied(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	return strings.HasPrefix(api.ErrorCode(), "AccessDenied") || strings.HasPrefix(api.ErrorCode(), "KMSAccessDenied")
}

// causeOf is a service's own word for an error, without the layers around it.
func causeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return strings.TrimSuffix(api.ErrorCode()+", "+api.ErrorMessage(), ", ")
	}
	return err.Error()
}
