package dynamocheckpoint

import (
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/shard"
)

// controlItem is a control row with something in each attribute, changed.
func controlItem(change func(item)) item {
	r := item{
		"id": &avS{Value: "control"}, "epoch": &avN{Value: "4"}, "mode": &avS{Value: "run"},
		"gen": &avN{Value: "7"}, "limited": &avBOOL{Value: true}, "limit": &avN{Value: "5"}, "limitSince": &avN{Value: "6"},
		"shares": &avM{Value: item{"anna/1": &avM{Value: item{
			"calls": &avN{Value: "2"}, "gen": &avN{Value: "7"}, "ceiling": &avN{Value: "4"},
		}}}},
		"pauses": &avL{Value: []types.AttributeValue{
			&avM{Value: item{"shard": &avS{Value: "s"}}}, &avM{Value: item{}},
		}},
	}
	if change != nil {
		change(r)
	}
	return r
}

// A control row that is not what it must be is an error that names the
// attribute, and never a default: a default would start handlers that somebody
// has stopped.
func TestControlThatCannotBeUnderstoodIsAnError(t *testing.T) {
	table := Open(nil, "app")
	want := shard.Control{
		Gen: 7, Limited: true, Limit: 5, Since: 6,
		Shares: map[string]shard.Share{"anna/1": {Calls: 2, Gen: 7, Ceiling: 4}},
		Pauses: []shard.Pause{{Shard: "s"}, {}},
	}
	if got, err := table.controlOf(controlItem(nil)); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v, want %+v", got, err, want)
	}
	if got, err := table.controlOf(item{"id": &avS{Value: "control"}, "epoch": &avN{Value: "4"}}); err != nil || !reflect.DeepEqual(got, shard.Control{}) {
		t.Fatalf("got %+v, %v of a row that says nothing", got, err)
	}
	share := func(v types.AttributeValue) func(item) {
		return set1("shares", &avM{Value: item{"anna/1": v}})
	}
	shareWith := func(name string, v types.AttributeValue) func(item) {
		s := item{"calls": &avN{Value: "2"}, "gen": &avN{Value: "7"}, "ceiling": &avN{Value: "4"}}
		s[name] = v
		return share(&avM{Value: s})
	}
	pause := func(v types.AttributeValue) func(item) { return set1("pauses", &avL{Value: []types.AttributeValue{v}}) }
	move := func(change func(item)) types.AttributeValue {
		m := item{"what": &avS{Value: "seek"}, "to": &avS{Value: "TRIM_HORIZON"}, "done": &avN{Value: "1"}, "total": &avN{Value: "2"}}
		if change != nil {
			change(m)
		}
		return &avM{Value: m}
	}
	both := func(v types.AttributeValue) func(item) {
		return func(row item) { row["moveId"], row["move"] = &avS{Value: "0011"}, v }
	}
	for name, test := range map[string]struct {
		change func(item)
		says   string
	}{
		"no generation":         {without("gen"), "gen is missing"},
		"generation 0":          {set1("gen", &avN{Value: "0"}), "gen is 0"},
		"not limited or so":     {without("limited"), "limited is missing"},
		"limited a word":        {set1("limited", &avS{Value: "yes"}), "limited is a string"},
		"no limit":              {without("limit"), "limit is missing"},
		"limit below 0":         {set1("limit", &avN{Value: "-1"}), "limit"},
		"limit a fraction":      {set1("limit", &avN{Value: "1.5"}), "limit"},
		"limit beyond measure":  {set1("limit", &avN{Value: "9999999999"}), "limit"},
		"limit a word":          {set1("limit", &avS{Value: "5"}), "limit is a string"},
		"since missing":         {without("limitSince"), "limitSince is missing"},
		"since to come":         {set1("limitSince", &avN{Value: "8"}), "limitSince"},
		"no shares":             {without("shares"), "shares"},
		"shares a list":         {set1("shares", &avL{}), "shares is a list"},
		"share a number":        {share(&avN{Value: "2"}), `shares of "anna/1" is a number`},
		"share without calls":   {share(&avM{Value: item{}}), "calls is missing"},
		"share below 0":         {shareWith("calls", &avN{Value: "-2"}), "calls"},
		"share without ceiling": {shareWith("ceiling", &avNULL{}), "ceiling"},
		"share of a word":       {shareWith("gen", &avS{Value: "7"}), "gen is a string"},
		"no pauses":             {without("pauses"), "pauses"},
		"pauses a map":          {set1("pauses", &avM{}), "pauses is a map"},
		"pause a word":          {pause(&avS{Value: "s"}), "pauses, number 0"},
		"pause of nothing":      {pause(&avM{Value: item{"shard": &avS{}}}), "shard is empty"},
		"pause of a number":     {pause(&avM{Value: item{"keyHash": &avN{Value: "1"}}}), "keyHash is a number"},
		"move without an id":    {set1("move", move(nil)), "moveId is missing"},
		"move of an id alone":   {set1("moveId", &avS{Value: "0011"}), "move"},
		"move to nowhere":       {both(move(set1("to", &avS{Value: "east"}))), "to is no position"},
		"move of a number":      {both(&avN{Value: "1"}), "move is a number"},
		"move of a million":     {both(move(set1("total", &avN{Value: "9999999999"}))), "total is 9999999999"},
		"pause of later times":  {pause(&avM{Value: item{"tenant": &avS{Value: "x"}}}), "tenant is not known"},
	} {
		got, err := table.controlOf(controlItem(test.change))
		if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "app-sessions") {
			t.Errorf("%s: got error %v, want one that says %q", name, err, test.says)
		}
		if !reflect.DeepEqual(got, shard.Control{}) {
			t.Errorf("%s: got %+v beside the error", name, got)
		}
	}
}
