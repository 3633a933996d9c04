package batching

import (
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/internal/scenariotest"
	"github.com/towpath/towpath/shard"
)

var (
	origin    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	errBroken = errors.New("broken")
)

func recordsOf(n int) []shard.Record {
	records := make([]shard.Record, n)
	for i := range records {
		records[i] = shard.Record{Shard: "s", Sequence: strconv.Itoa(1000 + i), ArrivedAt: origin.Add(time.Duration(i) * time.Second)}
	}
	return records
}

// run works a batch to its end with a handler, and reports every call.
type run struct {
	policy  Policy
	records []shard.Record
	handler func(s Segment, records []shard.Record) error
	lines   []string
	fates   []string // of each record: done, rejected, given up
	calls   int
	failing int
}

func (r *run) play(t *testing.T) {
	t.Helper()
	r.fates = make([]string, len(r.records))
	settle := func(i int, fate string) {
		if r.fates[i] != "" {
			t.Fatalf("record %d is %s, and now %s too", i, r.fates[i], fate)
		}
		r.fates[i] = fate
	}
	work := NewWork(len(r.records))
	next := 0 // the first record that is not settled
	for s, ok := work.Next(); ok; s, ok = work.Next() {
		if s.From != next || s.Len() <= 0 || s.To > len(r.records) {
			t.Fatalf("segment %s, but the first record not settled is %d of %d", s, next, len(r.records))
		}
		if r.calls++; r.calls > 100_000 {
			t.Fatal("no end after 100,000 calls")
		}
		given := r.records[s.From:s.To]
		outcome := Read(given, r.handler(s, given))
		verdict := r.policy.Decide(s, outcome)
		if outcome.Failed {
			r.failing++
		}
		if len(r.records) <= 100 {
			r.lines = append(r.lines, fmt.Sprintf("%s %s: %s", s, outcome, verdict))
		}
		rejected := map[int]bool{}
		for _, rejection := range verdict.Rejected {
			if rejection.Index >= verdict.Handled {
				t.Fatalf("%s rejects a record that is not handled", verdict)
			}
			rejected[rejection.Index] = true
		}
		for i := range verdict.Handled {
			if rejected[i] {
				settle(s.From+i, "rejected")
			} else {
				settle(s.From+i, "done")
			}
		}
		for i := range verdict.GiveUp {
			settle(s.From+verdict.Handled+i, "given up")
		}
		next = s.From + verdict.Handled + verdict.GiveUp
		at := next
		for _, n := range verdict.Next {
			if n.From != at {
				t.Fatalf("%s: %s leaves out or repeats a record", s, verdict)
			}
			at = n.To
		}
		if at != s.To {
			t.Fatalf("%s: %s does not add up to the segment", s, verdict)
		}
		work.Settle(verdict)
		if want := len(r.records) - next; work.Remaining() != want {
			t.Fatalf("%d records remain, want %d", work.Remaining(), want)
		}
	}
	if next != len(r.records) {
		t.Fatalf("%d records settled, want %d", next, len(r.records))
	}
}

func (r *run) summary() string {
	fates := map[string][]string{}
	for i, fate := range r.fates {
		fates[fate] = append(fates[fate], strconv.Itoa(i))
	}
	s := fmt.Sprintf("%d calls, %d failing", r.calls, r.failing)
	for _, fate := range []string{"rejected", "given up"} {
		if len(fates[fate]) > 0 {
			s += ", " + fate + " " + strings.Join(fates[fate], " ")
		}
	}
	return s
}

// index is the place of a record of recordsOf in its batch.
func index(r *shard.Record) int {
	n, _ := strconv.Atoi(r.Sequence)
	return n - 1000
}

func TestPolicyScenarios(t *testing.T) {
	scenariotest.Run(t, "testdata/policy.txt", func(t *testing.T, input []string) []string {
		r := run{policy: Policy{CanReject: true}}
		var rules []func(call int, given []shard.Record) error
		number := func(s string) int {
			n, err := strconv.Atoi(s)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		for _, line := range input {
			words := strings.Fields(line)
			switch words[0] {
			case "records":
				r.records = recordsOf(number(words[1]))
			case "bisect":
				r.policy.Bisect = true
			case "retries":
				r.policy.MaximumRetryAttempts = AtMost(number(words[1]))
			case "no-destination":
				r.policy.CanReject = false
			case "poison", "fail-from", "reject": // whenever the record is in the batch
				what, wanted := words[0], number(words[1])
				times := 1 << 30
				if len(words) > 2 {
					times = number(words[2])
				}
				rules = append(rules, func(_ int, given []shard.Record) error {
					i := slices.IndexFunc(given, func(r shard.Record) bool { return index(&r) == wanted })
					if i < 0 || times == 0 {
						return nil
					}
					times--
					switch what {
					case "fail-from":
						return FailFrom(&given[i], errBroken)
					case "reject":
						return Reject(&given[i], errBroken)
					}
					return errBroken
				})
			case "down", "throttled": // for the first so many calls
				what, calls := words[0], number(words[1])
				rules = append(rules, func(call int, _ []shard.Record) error {
					switch {
					case call > calls:
						return nil
					case what == "throttled":
						return RetryAfter(5*time.Second, errBroken)
					}
					return errBroken
				})
			default:
				t.Fatalf("no such line: %s", line)
			}
		}
		r.handler = func(_ Segment, given []shard.Record) error {
			var errs []error
			for _, rule := range rules {
				errs = append(errs, rule(r.calls, given))
			}
			return errors.Join(errs...)
		}
		r.play(t)
		return append(r.lines, r.summary())
	})
}

// The bound that is promised: k poison records in n cost at most k⌈log₂ n⌉ + k
// failing calls and 2k⌈log₂ n⌉ + 1 in all, with one attempt each.
func TestBisectCostsWhatIsPromised(t *testing.T) {
	check := func(n int, poison map[int]bool) *run {
		r := &run{policy: Policy{Bisect: true, MaximumRetryAttempts: AtMost(0)}, records: recordsOf(n)}
		r.handler = func(s Segment, _ []shard.Record) error {
			for i := s.From; i < s.To; i++ {
				if poison[i] {
					return errBroken
				}
			}
			return nil
		}
		r.play(t)
		k, log := len(poison), bits.Len(uint(n-1))
		if most := k*log + k; r.failing > most {
			t.Errorf("%d poison of %d: %d failing calls, want at most %d", k, n, r.failing, most)
		}
		if most := 2*k*log + 1; r.calls > most {
			t.Errorf("%d poison of %d: %d calls, want at most %d", k, n, r.calls, most)
		}
		for i, fate := range r.fates {
			if want := map[bool]string{true: "given up", false: "done"}[poison[i]]; fate != want {
				t.Errorf("record %d of %d is %s, want %s", i, n, fate, want)
			}
		}
		return r
	}
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 2))
		n := 1 + random.IntN(700)
		poison := map[int]bool{}
		for range random.IntN(min(n, 12) + 1) {
			poison[random.IntN(n)] = true
		}
		check(n, poison)
	}
	worst := 0
	for _, at := range []int{0, 1, 4999, 5000, 7777, 9999} {
		worst = max(worst, check(10_000, map[int]bool{at: true}).calls)
	}
	if worst != 29 {
		t.Errorf("one poison record in 10,000 costs up to %d calls, want 29", worst)
	}
}

// Whatever a handler answers, every record is settled exactly once and in order
// (play checks both), and is given up only if its attempts ran out.
func TestDecideSettlesEveryRecordOnce(t *testing.T) {
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 3))
		retries := random.IntN(4)
		r := run{
			records: recordsOf(1 + random.IntN(60)),
			policy: Policy{
				Bisect: random.IntN(2) == 0, CanReject: random.IntN(2) == 0,
				MaximumRetryAttempts: AtMost(retries),
			},
		}
		alone := make([]int, len(r.records)) // calls with the record first that blamed it
		r.handler = func(s Segment, given []shard.Record) error {
			pick := func() *shard.Record { return &given[random.IntN(len(given))] }
			alone[s.From]++
			switch random.IntN(8) {
			case 0:
				return errBroken
			case 1:
				return FailFrom(pick(), errBroken)
			case 2:
				return errors.Join(Reject(pick(), errBroken), Reject(pick(), errBroken))
			case 3:
				return errors.Join(Reject(pick(), errBroken), FailFrom(pick(), errBroken))
			case 4:
				return FailFrom(pick(), RetryAfter(time.Second, errBroken))
			case 5:
				return RetryAfter(time.Second, errBroken)
			case 6:
				return FailFrom(&shard.Record{Shard: "another"}, errBroken)
			}
			return nil
		}
		r.play(t)
		if !r.policy.Bisect {
			continue
		}
		for i, fate := range r.fates {
			if fate == "given up" && alone[i] <= retries {
				t.Errorf("seed %d: record %d was given up after %d calls, want %d", seed, i, alone[i], retries+1)
			}
		}
	}
}

func TestUnlimitedIsTheDefault(t *testing.T) {
	for _, p := range []Policy{{}, {Bisect: true}, {MaximumRetryAttempts: Unlimited}} {
		v := p.Decide(Segment{From: 3, To: 4, Attempts: 1_000_000}, Outcome{Failed: true})
		if v.GiveUp != 0 || len(v.Next) != 1 || v.Delay != (Delay{Max: DefaultMaxBackoff}) {
			t.Errorf("%+v: %s, want the record again in at most %s", p, v, DefaultMaxBackoff)
		}
	}
}

func TestBackoffDoublesUpToItsCeiling(t *testing.T) {
	p := Policy{MinBackoff: time.Second, MaxBackoff: 10 * time.Second}
	for attempts, want := range map[int]time.Duration{1: 1, 2: 2, 3: 4, 4: 8, 5: 10, 6: 10, 1 << 40: 10} {
		v := p.Decide(Segment{To: 5, Attempts: attempts - 1}, Outcome{Failed: true})
		if want *= time.Second; v.Delay != (Delay{Max: want}) {
			t.Errorf("after %d attempts %s, want 0s…%s", attempts, v.Delay, want)
		}
	}
	if v := (Policy{MinBackoff: time.Minute, MaxBackoff: time.Second}).Decide(Segment{To: 1}, Outcome{Failed: true}); v.Delay.Max != time.Second {
		t.Errorf("the larger minimum wins: %s", v.Delay)
	}
}

func TestRetryAfterBurnsNoAttempt(t *testing.T) {
	p := Policy{MaximumRetryAttempts: AtMost(0)}
	v := p.Decide(Segment{From: 2, To: 9, Attempts: 0}, Outcome{Failed: true, Delayed: true, After: time.Minute})
	if got, want := v.String(), "then [2,9) in 1m0s"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	v = Policy{}.Decide(Segment{From: 2, To: 9, Attempts: 4}, Outcome{Failed: true, Delayed: true, From: 3, Partial: true})
	if got, want := v.String(), "handled 3, then [5,9)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestRejectWithoutDestinationIsNeverDone(t *testing.T) {
	rejects := []Rejection{{Index: 1, Err: errBroken}}
	for _, o := range []Outcome{
		{Rejects: rejects},
		{Rejects: rejects, Failed: true, From: 3, Partial: true},
		{Rejects: rejects, Failed: true, From: 3, Delayed: true, After: time.Hour},
	} {
		if got, want := (Policy{}).Decide(Segment{To: 5}, o).String(), "handled 1, then [1,5)#1 in 0s…100ms"; got != want {
			t.Errorf("%s: %s, want %s", o, got, want)
		}
	}
}

func TestExpiredIsOnlyThePrefix(t *testing.T) {
	records := recordsOf(5) // arrived 0 s … 4 s after the origin
	records[3].ArrivedAt = origin.Add(-time.Hour)
	p := Policy{MaximumRecordAge: time.Minute}
	for _, test := range []struct {
		after time.Duration
		want  int
	}{{time.Minute, 0}, {time.Minute + 1, 1}, {62 * time.Second, 2}, {63 * time.Second, 4}, {time.Hour, 5}} {
		if got := p.Expired(records, origin.Add(test.after)); got != test.want {
			t.Errorf("after %s %d are expired, want %d", test.after, got, test.want)
		}
	}
	if got := (Policy{}).Expired(records, origin.Add(1000*time.Hour)); got != 0 {
		t.Errorf("without a limit %d are expired", got)
	}
	records[0].ArrivedAt = time.Time{}
	if got := p.Expired(records, origin.Add(time.Hour)); got != 0 {
		t.Errorf("a record whose arrival is unknown expired (%d)", got)
	}
}

func TestWorkSkipsWhatExpired(t *testing.T) {
	work := NewWork(4)
	work.Settle(Verdict{Next: []Segment{{From: 0, To: 2, Attempts: 3}, {From: 2, To: 4}}})
	work.Skip(1)
	if s, _ := work.Next(); s != (Segment{From: 1, To: 2}) {
		t.Errorf("%s, want [1,2) with no attempts", s)
	}
	work.Skip(9)
	if s, _ := work.Next(); s != (Segment{From: 2, To: 4}) {
		t.Errorf("%s, want [2,4): a skip ends with its segment", s)
	}
	work.Skip(2)
	if s, ok := work.Next(); ok {
		t.Errorf("%s remains", s)
	}
	work.Skip(1)
	work.Settle(Verdict{})
	if _, ok := NewWork(0).Next(); ok {
		t.Error("work without records")
	}
}

func ExamplePolicy_Decide() {
	policy := Policy{Bisect: true, MaximumRetryAttempts: AtMost(0), CanReject: true}
	work := NewWork(8)
	for s, ok := work.Next(); ok; s, ok = work.Next() {
		var outcome Outcome
		if s.From <= 5 && 5 < s.To {
			outcome.Failed = true // the record at 5 is poison
		}
		verdict := policy.Decide(s, outcome)
		fmt.Printf("%v: %v\n", s, verdict)
		work.Settle(verdict)
	}
	// Output:
	// [0,8): then [0,4) [4,8)
	// [0,4): handled 4
	// [4,8): then [4,6) [6,8)
	// [4,6): then [4,5) [5,6)
	// [4,5): handled 1
	// [5,6): give up 1 after 1
	// [6,8): handled 2
}
