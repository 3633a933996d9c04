package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

var gzipMagic = []byte{0x1f, 0x8b}

// maxUnzipped is how large the document in one record may be. A record has at
// most 1 MiB, which log text fills with about 10 MiB; what unzips to more is made
// to hurt.
const maxUnzipped = 16 << 20

// subscription is the document that CloudWatch Logs sends, see
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html.
type subscription struct {
	MessageType string     `json:"messageType"`
	Owner       string     `json:"owner"`
	LogGroup    string     `json:"logGroup"`
	LogStream   string     `json:"logStream"`
	Filters     []string   `json:"subscriptionFilters"`
	LogEvents   []logEvent `json:"logEvents"`
}

// logEvent is one event of a subscription.
type logEvent struct {
	ID        string `json:"id"`
	Timestamp int64  `json:"timestamp"` // Unix milliseconds
	Message   string `json:"message"`
}

// The kinds of subscription. A control message only asks whether the stream can
// be reached.
const (
	dataMessage    = "DATA_MESSAGE"
	controlMessage = "CONTROL_MESSAGE"
)

var errTooLarge = errors.New("the record unzips to more than is believed")

// readSubscription reads what CloudWatch Logs sent. It believes nothing.
func readSubscription(data []byte) (content, error) {
	text, err := unzip(data)
	if err != nil {
		return content{}, err
	}
	var s subscription
	if err := json.Unmarshal(text, &s); err != nil {
		return content{}, fmt.Errorf("read the document: %w", err)
	}
	switch s.MessageType {
	case controlMessage:
		return content{Control: true}, nil
	case dataMessage:
	default:
		return content{}, fmt.Errorf("messageType is %.40q, want %s or %s", s.MessageType, dataMessage, controlMessage)
	}
	c := content{Events: make([]event, len(s.LogEvents))}
	for i, e := range s.LogEvents {
		if e.ID == "" {
			return content{}, fmt.Errorf("log event %d has no id", i)
		}
		c.Events[i] = event{
			ID: e.ID, Time: time.UnixMilli(e.Timestamp).UTC(), Group: s.LogGroup, Stream: s.LogStream, Message: e.Message,
		}
		if y := c.Events[i].Time.Year(); y < 1970 || y > 9999 {
			return content{}, fmt.Errorf("log event %d is of the year %d", i, y)
		}
	}
	return c, nil
}

// unzip reads one gzip member after the other, up to maxUnzipped in all.
func unzip(data []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("unzip: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(z, maxUnzipped+1))
	switch {
	case len(text) > maxUnzipped:
		return nil, fmt.Errorf("unzip: %w (%d bytes)", errTooLarge, maxUnzipped)
	case err != nil:
		return nil, fmt.Errorf("unzip: %w", err)
	}
	return text, nil
}
