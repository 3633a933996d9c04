package dashboard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/overview"
)

// Config says what is shown. The zero value lacks only Sources.
type Config struct {
	// Title stands at the top of the page; empty is "towpath". At most 128 bytes.
	Title string
	// Sources are the applications that are shown, at least one.
	Sources []Source
	// Refresh is how often the page changes; 0 is 2 s. From 250 ms to a minute.
	// Each look at the tables is a scan of both: of a fleet of 1,000 shards about
	// 400 KB, which is 100 read units.
	Refresh time.Duration
	// Idle is how often the tables are read while nobody looks, so that there is
	// a history when somebody does; 0 is a minute. From Refresh to an hour.
	Idle time.Duration
	// History is how far back the curves go; 0 is 15 minutes. From a minute to a
	// day, and at most 5,000 times Refresh. A value takes 4 bytes: 1,000 shards
	// over 15 minutes at every 2 s take 3.6 MB.
	History time.Duration
	// Viewers is how many may look at once; 0 is 32. From 1 to 1,000. One more is
	// answered with status 503.
	Viewers int
	// Hosts are further names under which the page may be asked for, without a
	// port. On a loopback address it is otherwise answered for localhost and for
	// loopback addresses only; on any other, for every name if there is none
	// here. Name the public one here if a proxy on the same host passes it on.
	Hosts []string
	// ErrorText makes what is shown of the text of an error of a handler or a
	// destination. Those may quote records, and a page is read by more people
	// than may read the stream; so without it only the reason and the error's
	// type are shown. If yours never quote, give a function that returns what it
	// is given. What it returns is cut to 512 bytes.
	ErrorText func(text string) string
}

// Source is one application. Tables or Statuses may be absent, not both.
type Source struct {
	// Name is what it is called on the page, and in its address; unique among the
	// sources, at most 128 bytes.
	Name string
	// Tables looks at the application's tables, as overview.Look does. It is
	// called by one goroutine at a time, and given ten seconds.
	Tables func(context.Context) (*overview.Fleet, error)
	// Statuses are those of the consumers in this process, Consumer.Status each.
	// It may be changed by nobody once it is here; what comes and goes is told by
	// Current instead.
	Statuses []func() consumer.Status
	// Current, if set, gives the statuses of consumers that come and go, in
	// addition to Statuses.
	Current func() []consumer.Status
	// Recorder is what was hooked into these consumers, and of this source alone;
	// nil shows no failures and no latencies, and hand-overs only as far as the
	// tables tell.
	Recorder *Recorder
}

// The bounds of a Config. A browser that is sent less than 4 changes a second
// looks alive, and one that is sent more looks no better.
const (
	leastRefresh, mostRefresh = 250 * time.Millisecond, time.Minute
	mostIdle                  = time.Hour
	leastHistory, mostHistory = time.Minute, 24 * time.Hour
	mostPoints                = 5000
	mostViewers               = 1000
	mostName                  = 128
	mostText                  = 512
)

// filled is c with its defaults.
func (c Config) filled() Config {
	if c.Title == "" {
		c.Title = "towpath"
	}
	c.Refresh = orElse(c.Refresh, 2*time.Second)
	c.Idle = orElse(c.Idle, max(time.Minute, c.Refresh))
	c.History = orElse(c.History, min(15*time.Minute, mostPoints*c.Refresh))
	c.Viewers = orElse(c.Viewers, 32)
	return c
}

func orElse[N ~int | ~int64](n, otherwise N) N {
	if n == 0 {
		return otherwise
	}
	return n
}

// validate reports all that is wrong with a filled Config.
func (c Config) validate() error {
	var problems []error
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if why := misnamed(c.Title); why != "" {
		wrong("Title %s", why)
	}
	if len(c.Sources) == 0 {
		wrong("Sources is empty: name at least one application")
	}
	names, recorders := map[string]bool{}, map[*Recorder]bool{}
	for i, s := range c.Sources {
		at := fmt.Sprintf("Sources[%d]", i)
		switch why := misnamed(s.Name); {
		case s.Name == "":
			wrong("%s.Name is empty", at)
		case why != "":
			wrong("%s.Name %s", at, why)
		case names[s.Name]:
			wrong("%s.Name %q is the name of an earlier one too", at, s.Name)
		}
		names[s.Name] = true
		if s.Recorder != nil && recorders[s.Recorder] {
			wrong("%s.Recorder is that of an earlier source too: each look takes the calls since the last, so that both would miss some", at)
		}
		recorders[s.Recorder] = true
		if s.Tables == nil && len(s.Statuses) == 0 && s.Current == nil {
			wrong("%s has neither Tables nor Statuses nor Current: there is nothing to look at", at)
		}
		for j, status := range s.Statuses {
			if status == nil {
				wrong("%s.Statuses[%d] is nil", at, j)
			}
		}
	}
	if c.Refresh < leastRefresh || c.Refresh > mostRefresh {
		wrong("Refresh is %v: from %v to %v", c.Refresh, leastRefresh, mostRefresh)
	}
	if c.Idle < c.Refresh || c.Idle > mostIdle {
		wrong("Idle is %v: from Refresh, %v, to %v", c.Idle, c.Refresh, mostIdle)
	}
	if most := min(mostHistory, mostPoints*c.Refresh); c.History < leastHistory || c.History > most {
		wrong("History is %v: from %v to %v, which is the smaller of a day and %d times Refresh", c.History, leastHistory, most, mostPoints)
	}
	if c.Viewers < 1 || c.Viewers > mostViewers {
		wrong("Viewers is %d: from 1 to %d", c.Viewers, mostViewers)
	}
	for i, host := range c.Hosts {
		if host == "" || strings.ContainsAny(host, "/:@ ") {
			wrong("Hosts[%d] is %q: a name without scheme, port and path", i, host)
		}
	}
	return errors.Join(problems...)
}

// misnamed says what is wrong with a name that people are to read.
func misnamed(name string) string {
	switch {
	case len(name) > mostName:
		return fmt.Sprintf("is %d bytes long: at most %d", len(name), mostName)
	case !utf8.ValidString(name):
		return "is not UTF-8"
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Sprintf("is %q: without control characters", name)
	}
	return ""
}
