package codec_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/towpath/towpath/codec"
)

type click struct {
	Visitor string `json:"visitor"`
	Count   int    `json:"count"`
}

func TestJSONReadsWhatItWrote(t *testing.T) {
	for _, c := range []codec.Codec{codec.JSON, codec.JSONCodec{DisallowUnknownFields: true}, codec.JSONCodec{UseNumber: true}} {
		want := click{"é\x00\"", 1 << 40}
		data, err := c.Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		var got click
		if err := c.Decode(data, &got); err != nil || got != want {
			t.Errorf("%+v: got %+v, error %v, want %+v", c, got, err, want)
		}
	}
}

func TestJSONRefusesWhatIsNoDocument(t *testing.T) {
	for _, c := range []codec.Codec{codec.JSON, codec.JSONCodec{UseNumber: true}} {
		for _, data := range []string{"", " ", "{", "{} {}", "{}]", "nul", "\xff", "{}\x00", strings.Repeat("[", 1<<20)} {
			var v any
			err := c.Decode([]byte(data), &v)
			if err == nil || !strings.Contains(err.Error(), "decode json of ") {
				t.Errorf("%+v of %.10q: error %v", c, data, err)
			}
		}
		if err := c.Decode([]byte(" {} \n"), new(any)); err != nil {
			t.Errorf("white space around a document: %v", err)
		}
	}
}

func TestJSONIsAsStrictAsAsked(t *testing.T) {
	data := []byte(`{"visitor":"a","new":9007199254740993}`)
	if err := codec.JSON.Decode(data, new(click)); err != nil {
		t.Errorf("by default: %v", err)
	}
	if err := (codec.JSONCodec{DisallowUnknownFields: true}).Decode(data, new(click)); err == nil {
		t.Error("an unknown member was accepted")
	}
	var v map[string]any
	if err := (codec.JSONCodec{UseNumber: true}).Decode(data, &v); err != nil || v["new"] != json.Number("9007199254740993") {
		t.Errorf("got %v, error %v", v, err)
	}
	if _, err := codec.JSON.Encode(func() {}); err == nil {
		t.Error("a function was encoded")
	}
}

func ExampleJSONCodec() {
	strict := codec.JSONCodec{DisallowUnknownFields: true}
	var c click
	err := strict.Decode([]byte(`{"visitor":"ada","count":3}`), &c)
	fmt.Println(c, err)
	err = strict.Decode([]byte(`{"visitor":"ada","colour":"red"}`), &c)
	fmt.Println(err)
	// Output:
	// {ada 3} <nil>
	// decode json of 32 bytes: it has a member that is not expected
}
