package destination

import (
	"strings"

	"github.com/towpath/towpath/shard"
)

// ObjectKey is the failure's key in an object store, below a prefix of its
// owner's:
//
//	<application>/<shard>/YYYY/MM/DD/<first>-<last>.json
//	<application>/<shard>/YYYY/MM/DD/<first>-<last>-<digest>.json
//
// The date is that of the arrival of the first record, and the numbers are the
// sequence numbers of the first and last record, with .<index> behind it within
// an aggregate. Several records have a digest of all as well, as ID has. So a
// repeat has the same key, whenever and whoever sends it, and nothing else has.
// Where a consumer has several handlers, the name ends with an '=' and the one's.
// What is not a letter, a digit or one of - _ . = is written as %XX.
func (f *Failure) ObjectKey() string {
	if len(f.Records) == 0 {
		return keyPart(f.Application) + "/" + keyPart(f.Shard) + "/empty.json"
	}
	first, last := &f.Records[0], &f.Records[len(f.Records)-1]
	folder := keyPart(f.Application) + "/" + keyPart(f.Shard) + "/" + first.ArrivedAt.UTC().Format("2006/01/02") + "/"
	name := keyPart(recordName(first)) + "-" + keyPart(recordName(last))
	if len(f.Records) > 1 {
		name += "-" + f.digest()
	}
	if f.Handler != "" {
		name += "=" + keyPart(f.Handler)
	}
	return folder + name + ".json"
}

func recordName(r *shard.Record) string {
	return strings.Replace(r.Position().String(), "/", ".", 1)
}

// maxKeyPartBytes keeps the parts of a key, five of them names, with a prefix below
// MaxS3KeyBytes.
const maxKeyPartBytes = 128

// keyPart makes s one segment of a path. One that is too long is cut and gets a
// piece of its hash.
func keyPart(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if strings.IndexByte("-_.=", c) >= 0 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	part := b.String()
	switch {
	case len(part) > maxKeyPartBytes:
		return part[:maxKeyPartBytes-17] + "-" + hashOf([]byte(s))[:16]
	case part == "" || strings.Trim(part, ".") == "":
		return "%" + part // a segment of dots, or none, means something else in a path
	}
	return part
}
