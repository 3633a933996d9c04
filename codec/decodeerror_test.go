package codec_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/codec"
)

// loud is a type whose own decoder quotes what it is given.
type loud struct{}

func (*loud) UnmarshalJSON(data []byte) error { return errors.New("what is " + string(data) + "?") }

// What a decoder says may quote the data; what is logged does not.
func TestDecodeErrorQuotesNothing(t *testing.T) {
	type click struct {
		N  int
		At time.Time
		In map[string]int
	}
	strict := codec.JSONCodec{DisallowUnknownFields: true}
	for _, c := range []struct {
		codec codec.Codec
		data  string
		into  any
		want  string
	}{
		{codec.JSON, `canary`, new(click), "decode json of 6 bytes: it is no JSON from byte 1 on"},
		{codec.JSON, `{"N":"canary"}`, new(click), "is no int, as N is"},
		{codec.JSON, `{"N":4711.5}`, new(click), "is no int, as N is"},
		{codec.JSON, `{"In":{"canary":"x"}}`, new(click), "is no int"},
		{codec.JSON, `["canary"]`, new(click), "is no codec_test.click"},
		{codec.JSON, `{"At":"canary"}`, new(click), "the decoder failed with a *time.ParseError"},
		{codec.JSON, `"canary"`, new(loud), "the decoder failed with a *errors.errorString"},
		{codec.JSON, ``, new(click), "it is no JSON from byte 0 on"},
		{strict, `{"canary":1}`, new(click), "it has a member that is not expected"},
		{strict, `{"N":1} canary`, new(click), "something follows the document at byte 8"},
		{strict, ``, new(click), "it ends too early"},
	} {
		err := c.codec.Decode([]byte(c.data), c.into)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "4711") {
			t.Errorf("%s: %v; want …%s…", c.data, err, c.want)
		}
		if d := (*codec.DecodeError)(nil); !errors.As(err, &d) || d.Bytes != len(c.data) || d.Err == nil {
			t.Errorf("%s: %#v is no whole DecodeError", c.data, err)
		}
	}
	var syntax *json.SyntaxError
	if err := codec.JSON.Decode([]byte("canary"), new(click)); !errors.As(err, &syntax) {
		t.Errorf("%v does not lead to the decoder's own error", err)
	}
}
