package msgpackcodec_test

import (
	"fmt"

	"github.com/towpath/towpath/codec/msgpackcodec"
)

func ExampleCodec() {
	type click struct {
		Visitor string `msgpack:"visitor"`
		Count   int    `msgpack:"count"`
	}
	c := msgpackcodec.Codec{}
	data, err := c.Encode(click{"ada", 3})
	fmt.Println(len(data), "bytes,", err)

	var back click
	err = c.Decode(data, &back)
	fmt.Println(back, err)

	// Five bytes that announce two thousand million elements.
	var v any
	fmt.Println(c.Decode([]byte{0xdd, 0x7f, 0xff, 0xff, 0xff}, &v))
	// Output:
	// 20 bytes, <nil>
	// {ada 3} <nil>
	// decode msgpack of 5 bytes: 2147483647 values are announced before byte 5, but only 0 bytes are left
}
