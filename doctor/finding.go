package doctor

import "fmt"

// Level is how bad a finding is.
type Level string

const (
	// OK is that what was looked at is as it should be.
	OK Level = "ok"
	// Note is something to know, and nothing to do about for now.
	Note Level = "note"
	// Warning is something that will fail, or makes a failure worse.
	Warning Level = "warning"
	// Failure is something that keeps shards from being worked, or loses records.
	Failure Level = "failure"
)

// Finding is what one check came to.
type Finding struct {
	// Check is what was looked at, in a word or two, such as retention.
	Check string `json:"check"`
	// Level is how bad it is.
	Level Level `json:"level"`
	// Found is what was found.
	Found string `json:"found"`
	// Do is what to do about it; empty if nothing.
	Do string `json:"do,omitempty"`
}

// Report is everything that was found, in the order of the checks.
type Report struct {
	// Application is the application's name, and Stream what it reads.
	Application string `json:"application"`
	Stream      string `json:"stream"`
	// Findings are one or more for each check that had something to look at.
	Findings []Finding `json:"findings"`
}

// Count is how many findings there are of a level.
func (r Report) Count(l Level) (n int) {
	for _, f := range r.Findings {
		if f.Level == l {
			n++
		}
	}
	return n
}

// String is the report's sum in a sentence.
func (r Report) String() string {
	return fmt.Sprintf("%s, %s", counted(r.Count(Failure), "failure"), counted(r.Count(Warning), "warning"))
}

// findings collects those of one check.
type findings struct {
	check string
	all   []Finding
}

func (f *findings) add(l Level, do, format string, args ...any) {
	f.all = append(f.all, Finding{Check: f.check, Level: l, Found: fmt.Sprintf(format, args...), Do: do})
}

func (f *findings) ok(format string, args ...any)   { f.add(OK, "", format, args...) }
func (f *findings) note(format string, args ...any) { f.add(Note, "", format, args...) }

func (f *findings) warn(do, format string, args ...any) { f.add(Warning, do, format, args...) }
func (f *findings) fail(do, format string, args ...any) { f.add(Failure, do, format, args...) }

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// some names the first of many.
func some(names []string) string {
	const most = 3
	s := ""
	for i, name := range names {
		switch {
		case i == most:
			return fmt.Sprintf("%s and %d more", s, len(names)-most)
		case i > 0:
			s += ", "
		}
		s += name
	}
	return s
}
