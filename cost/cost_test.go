package cost_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/cost"
)

// What fleets were counted to cost stands in docs/cost.md, and what the model says
// of the same fleets is within a tenth of it.
func TestModelSaysWhatWasCounted(t *testing.T) {
	prices := usEast(t)
	rows := 0
	for _, row := range counted(t) {
		rows++
		s := cost.Shape{Shards: int(row.figures[0]), Workers: int(row.figures[1]), RowBytes: 300} // as they were in those fleets
		if row.state == "busy" {
			s.Records = float64(s.Shards)
		}
		ours := cost.Towpath(s, prices).Total()
		for _, c := range []struct {
			name      string
			got, want float64
			tolerance float64
		}{
			{"requests/s", ours.Writes + ours.Reads, row.figures[2], 0.1},
			{"writes/s", ours.Writes, row.figures[3], 0.1},
			{"WRU/s", ours.Written, row.figures[4], 0.1},
			{"RRU/s", ours.Read, row.figures[5], 0.1},
			{"$", ours.Dollars, row.figures[6], 0.1},
			{"KCL 2 writes/s", cost.KCL(2, s, prices).Total().Writes, row.figures[7], 0.02},
			{"KCL 2 $", cost.KCL(2, s, prices).Total().Dollars, row.figures[8], 0.02},
			{"KCL 3 writes/s", cost.KCL(3, s, prices).Total().Writes, row.figures[9], 0.02},
			{"KCL 3 $", cost.KCL(3, s, prices).Total().Dollars, row.figures[10], 0.02},
		} {
			if math.Abs(c.got-c.want) > max(c.tolerance*c.want, 0.51) {
				t.Errorf("%d shards, %d workers, %s: %s are %.1f, and the document says %.1f", s.Shards, s.Workers, row.state, c.name, c.got, c.want)
			}
		}
	}
	if rows != 8 {
		t.Errorf("docs/cost.md has %d rows, want 8", rows)
	}
}

// countedRow is a row of docs/cost.md: shards, workers, then its figures.
type countedRow struct {
	state   string
	figures []float64
}

func counted(t *testing.T) (rows []countedRow) {
	t.Helper()
	text, err := os.ReadFile("../docs/cost.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(line, "| \n"), "|")
		if len(cells) != 12 {
			continue
		}
		row := countedRow{state: strings.TrimSpace(cells[2])}
		if row.state != "idle" && row.state != "busy" {
			continue
		}
		for i, cell := range cells {
			if i == 2 {
				continue
			}
			n, err := strconv.ParseFloat(strings.NewReplacer(",", "", " ", "").Replace(cell), 64)
			if err != nil {
				t.Fatal(err)
			}
			row.figures = append(row.figures, n)
		}
		rows = append(rows, row)
	}
	return rows
}

func usEast(t *testing.T) cost.Prices {
	t.Helper()
	p, err := cost.In(cost.Default)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A shard to which nothing comes costs nothing beside its row being read, and one
// to which a record comes once a minute is written once a minute.
func TestIdleShardsCostNoWrites(t *testing.T) {
	p := usEast(t)
	few, many := cost.Towpath(cost.Shape{Shards: 1, Workers: 1}, p).Total(), cost.Towpath(cost.Shape{Shards: 10_000, Workers: 1}, p).Total()
	if few.Writes != many.Writes {
		t.Errorf("10,000 idle shards cost %v writes a second, and one costs %v", many.Writes, few.Writes)
	}
	s := cost.Shape{Shards: 100, Workers: 1, Records: 1.0 / 60}
	if got := s.Checkpoints(); got != 1.0/60 {
		t.Errorf("a record a minute is %v positions a second", got)
	}
	s.Records = 1e6
	if got := s.Checkpoints(); got != 10 {
		t.Errorf("100 busy shards are %v positions a second, want one each every 10 s", got)
	}
	s.CheckpointInterval = time.Minute
	if got := s.Checkpoints(); math.Abs(got-100/60.0) > 1e-9 {
		t.Errorf("100 busy shards with a minute between positions are %v a second", got)
	}
}

// What one busy shard and one worker cost stands in several texts, and is the same in
// all of them: that of the model.
func TestTextsSayWhatAShardAndAWorkerCost(t *testing.T) {
	p := usEast(t)
	dollars := func(s cost.Shape) float64 { return cost.Towpath(s, p).Total().Dollars }
	fleet := cost.Shape{Shards: 10, Workers: 2, RowBytes: 300}
	busy := fleet
	busy.Records = float64(busy.Shards)
	shard := fmt.Sprintf("$%.2f", (dollars(busy)-dollars(fleet))/float64(fleet.Shards))
	worker := fmt.Sprintf("$%.1f0", dollars(fleet)/float64(fleet.Workers))
	for file, said := range map[string][]string{
		"../docs/cost.md":   {shard + " a month", worker + " a month"},
		"../docs/tuning.md": {shard + " a month", worker + " a month"},
		"../docs/faq.md":    {shard + " ", worker + " "},
		"../docs/decisions/0021-one-write-a-position.md": {shard + " a month"},
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range said {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s does not say %q", file, want)
			}
		}
	}
}

// KCL's scans go by its failoverTimeMillis, as its renewals do.
func TestKCLReadsByItsFailoverTime(t *testing.T) {
	s := cost.Shape{Shards: 1000, Workers: 50, LeaseDuration: time.Minute}
	for version, want := range map[int]float64{
		2: 50 / 120.05,                       // scans by every worker every twice 60.025 s
		3: 1/120. + 1/120. + 50/(60.0-0.025), // scans by the leader every 120 s, and queries every 59.975 s
	} {
		if got := cost.KCL(version, s, usEast(t)).Total().Reads; math.Abs(got-want) > 1e-9 {
			t.Errorf("KCL %d reads %v times a second, want %v", version, got, want)
		}
	}
}

func TestReadingIsBilledAsTheStreamIs(t *testing.T) {
	p := usEast(t)
	base := cost.Shape{Shards: 10, Workers: 1, Records: 1000, RecordBytes: 1000} // 2,592 GB a month
	for name, c := range map[string]struct {
		fanOut, onDemand bool
		want             float64
	}{
		"polling a provisioned stream":           {false, false, 0},
		"fan-out of a provisioned stream":        {true, false, 10*720*0.015 + 2592*0.013},
		"polling an on-demand stream":            {false, true, 2592 * 0.04},
		"enhanced fan-out of an on-demand steam": {true, true, 2592 * 0.05},
	} {
		s := base
		s.FanOut, s.OnDemand = c.fanOut, c.onDemand
		for _, bill := range []cost.Bill{cost.Towpath(s, p), cost.KCL(3, s, p), cost.Lambda(s, cost.Function{}, p)} {
			plain := base
			var without cost.Bill
			switch bill.Of {
			case "towpath":
				without = cost.Towpath(plain, p)
			case "KCL 3":
				without = cost.KCL(3, plain, p)
			default:
				without = cost.Lambda(plain, cost.Function{}, p)
			}
			if got := bill.Total().Dollars - without.Total().Dollars; math.Abs(got-c.want) > 0.01 {
				t.Errorf("%s: %s pays $%.2f for it, want $%.2f", name, bill.Of, got, c.want)
			}
		}
	}
}

// A thousand records a second in batches of a hundred are 26 million invocations.
func TestLambdaIsBilledByInvocations(t *testing.T) {
	got := cost.Lambda(cost.Shape{Shards: 10, Workers: 1, Records: 1000}, cost.Function{BatchSize: 100, Duration: 50 * time.Millisecond, Memory: 512}, usEast(t)).Total().Dollars
	invoked := 10 * cost.Month.Seconds()
	want := invoked/1e6*0.20 + invoked*0.05*0.5*0.0000166667
	if math.Abs(got-want) > 0.001 {
		t.Errorf("got $%.2f, want $%.2f", got, want)
	}
}

func TestWrongShapesAreRefusedAllAtOnce(t *testing.T) {
	err := cost.Shape{Shards: 0, Workers: -1, Records: math.NaN(), RecordBytes: 11 << 20, CheckpointInterval: time.Millisecond}.Validate()
	for _, want := range []string{"Shards", "Workers", "Records", "RecordBytes", "CheckpointInterval"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error says nothing of %s: %v", want, err)
		}
	}
	if err := (cost.Shape{Shards: 1, Workers: 1}).Validate(); err != nil {
		t.Error(err)
	}
	if _, err := cost.In("eu-nowhere-1"); err == nil || !strings.Contains(err.Error(), "us-east-1") {
		t.Errorf("of an unknown region: %v", err)
	}
	if err := (cost.Prices{MillionRead: -1, FanOutGB: math.Inf(1)}).Validate(); err == nil || !strings.Contains(err.Error(), "million_read") || !strings.Contains(err.Error(), "fan_out_gb") {
		t.Errorf("of wrong prices: %v", err)
	}
	var p cost.Prices
	if err := json.Unmarshal([]byte(`{"region":"here","million_written":1}`), &p); err != nil || p.MillionWritten != 1 {
		t.Errorf("prices from JSON: %+v, %v", p, err)
	}
}

func TestFiguresHaveThreeDigitsThatCount(t *testing.T) {
	for n, want := range map[float64]string{0: "0.0", 1.62: "1.6", 9.96: "10", 175.2: "175", 1356: "1,356", 1234567.8: "1,234,568"} {
		if got := cost.Thousands(n); got != want {
			t.Errorf("Thousands(%v) = %q, want %q", n, got, want)
		}
	}
}
