package consumer

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// longestSaying bounds the text of an error in the log and in Status, in bytes.
// It is what an envelope has room for, see destination.Failure.Envelope.
const longestSaying = 1024

// saying is the text of somebody else's error, as it may be logged.
func (c *Config) saying(err error) (text string) {
	if err == nil {
		return ""
	}
	if c.RedactError == nil {
		return shortened(err.Error())
	}
	defer func() {
		if v := recover(); v != nil { // the error is not said then, and the batch goes its way
			text = fmt.Sprintf("RedactError panicked over a %T", err)
		}
	}()
	return shortened(c.RedactError(err))
}

// shortened cuts a text to what is logged, between two characters.
func shortened(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= longestSaying {
		return text
	}
	const more = "…"
	n := longestSaying - len(more)
	for !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + more
}
