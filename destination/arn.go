package destination

import "strings"

// ARN is an Amazon resource name in its parts,
// arn:partition:service:region:account:resource.
type ARN struct {
	// Partition is aws, or aws-cn and its like.
	Partition string
	// Service is the service's word, such as sns.
	Service string
	// Region and Account are empty where the resource has none.
	Region, Account string
	// Resource is all behind the account, colons included; never empty.
	Resource string
}

// ParseARN takes an ARN apart, and reports whether it is one.
func ParseARN(s string) (ARN, bool) {
	parts := strings.SplitN(s, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[1] == "" || parts[2] == "" || parts[5] == "" ||
		strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ARN{}, false
	}
	return ARN{parts[1], parts[2], parts[3], parts[4], parts[5]}, true
}
