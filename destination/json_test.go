package destination

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzEscapedStringIsWhatJSONReads(f *testing.F) {
	for _, s := range []string{"", "a\"b\\c\n\r\t\x00\x1f\x7f", "\xff\xc3", "é\u2028\ufffe\uffff\U0001ffff\u202e😀\ufffd", "\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := appendString(nil, s)
		if again := appendString(nil, []byte(s)); string(again) != string(got) {
			t.Errorf("as bytes %q, as a string %q", again, got)
		}
		if n := escapedLen([]byte(s)); n != len(got)-2 {
			t.Errorf("escapedLen is %d, want %d", n, len(got)-2)
		}
		for _, r := range string(got) {
			if r < ' ' || r == 0x7f || r&0xfffe == 0xfffe || r == utf8.RuneError {
				t.Errorf("%q has %U in it", got, r)
			}
		}
		var back string
		if err := json.Unmarshal(got, &back); err != nil {
			t.Fatalf("%q: %v", got, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); utf8.ValidString(s) && back != want {
			t.Errorf("read back %q, want %q", back, want)
		}
		for _, limit := range []int{3, 10, 64} {
			cut := truncate(s, limit)
			if n := escapedLen([]byte(cut)); n > limit {
				t.Errorf("truncate(%q, %d) = %q, which takes %d bytes", s, limit, cut, n)
			}
			if again := truncate(cut, limit); again != cut {
				t.Errorf("truncate(%q, %d) = %q, and again %q", s, limit, cut, again)
			}
		}
	})
}
