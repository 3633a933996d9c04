package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"
)

// item is one record to put.
type item struct {
	Key  string
	Data []byte
	// IDs are the ids of its events, and Lines how many lines of an access log it
	// has, whose ids follow from where it comes to stand.
	IDs     []string
	Lines   int
	Control bool
	Rubbish bool
}

// feed makes what is put on the stream: what CloudWatch Logs sends of some
// functions, lines of some web servers, and among them records that are no logs.
// It follows from the seed and the time, which is that of the last events.
func feed(o options, now time.Time) []item {
	dice := rand.New(rand.NewPCG(o.Seed, 0x6c6f6773))
	items := make([]item, 0, o.Records+o.Rubbish)
	for n := range o.Records {
		// Some hours: each flush touches several objects.
		at := now.Add(-time.Duration(dice.Int64N(int64(150 * time.Minute))))
		switch {
		case dice.IntN(40) == 0:
			items = append(items, item{Key: fmt.Sprint("control-", n), Data: zipped(subscription{
				MessageType: controlMessage, Owner: "CloudwatchLogs", LogEvents: []logEvent{{ID: "", Timestamp: at.UnixMilli(), Message: "CWL CONTROL MESSAGE: Checking health of destination Kinesis stream."}},
			}), Control: true})
		case dice.IntN(2) == 0:
			items = append(items, functionLogs(dice, n, at))
		default:
			items = append(items, accessLines(dice, at))
		}
	}
	for n := range o.Rubbish {
		i := dice.IntN(len(items) + 1)
		one := item{Key: fmt.Sprint("rubbish-", n), Data: rubbish[n%len(rubbish)](), Rubbish: true}
		items = append(items[:i], append([]item{one}, items[i:]...)...)
	}
	return items
}

// functionLogs is a subscription's record of a function's log.
func functionLogs(dice *rand.Rand, n int, at time.Time) item {
	name := []string{"checkout", "search", "mailer"}[dice.IntN(3)]
	s := subscription{
		MessageType: dataMessage, Owner: "123456789012", LogGroup: "/aws/lambda/" + name,
		LogStream: fmt.Sprintf("%s/[$LATEST]%08x", at.UTC().Format("2006/01/02"), dice.Uint32()), Filters: []string{"everything"},
	}
	one := item{Key: s.LogStream}
	for i := range 1 + dice.IntN(12) {
		id := fmt.Sprintf("3%015d%05d%03d", at.UnixMilli(), n, i)
		s.LogEvents = append(s.LogEvents, logEvent{
			ID: id, Timestamp: at.Add(time.Duration(i) * time.Millisecond).UnixMilli(),
			Message: fmt.Sprintf("REPORT RequestId: %08x Duration: %d.%02d ms Billed Duration: %d ms Memory Size: 128 MB", dice.Uint32(), dice.IntN(900), dice.IntN(100), 1+dice.IntN(900)),
		})
		one.IDs = append(one.IDs, id)
	}
	one.Data = zipped(s)
	return one
}

// accessLines is a record of a web server.
func accessLines(dice *rand.Rand, at time.Time) item {
	one := item{Lines: 1 + dice.IntN(4)}
	var text bytes.Buffer
	for range one.Lines {
		client := fmt.Sprintf("192.0.2.%d", dice.IntN(256))
		fmt.Fprintf(&text, "%s - - [%s] \"GET /item/%d HTTP/1.1\" %d %d \"https://shop.example/\" \"Mozilla/5.0 (a \\\"quoted\\\" agent)\"\n",
			client, at.UTC().Format(accessTime), dice.IntN(1000), []int{200, 200, 200, 304, 404, 500}[dice.IntN(6)], dice.IntN(50_000))
		one.Key = client
	}
	one.Data = text.Bytes()
	return one
}

// rubbish are records that are no logs, of the kinds that turn up.
var rubbish = []func() []byte{
	func() []byte { return []byte("hello") },
	func() []byte { return zipped(subscription{MessageType: dataMessage})[:20] }, // cut off
	func() []byte { return zip(make([]byte, maxUnzipped+1)) },                    // made to hurt
	func() []byte { return zip([]byte(`{"messageType":"DATA_MESSAGE","logEvents":"none"}`)) },
	func() []byte { return []byte(`192.0.2.1 - - [soon] "GET / HTTP/1.1" 200 5 "-" "-"`) },
	func() []byte { return []byte{0xff, 0xfe, 0, 1, 2} },
	func() []byte { return zipped(subscription{MessageType: "DATA_MASSAGE"}) },
}

// zipped is the record that CloudWatch Logs makes of a document.
func zipped(s subscription) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return zip(text)
}

func zip(text []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(text) // a buffer takes everything
	_ = z.Close()
	return b.Bytes()
}
