package answerbound_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/towpath/towpath/internal/answerbound"
)

// answers is a client with one answer, and counts what is read of it.
type answers struct {
	body   io.Reader
	length int64
	read   int
}

func (a *answers) Do(*http.Request) (*http.Response, error) {
	return &http.Response{ContentLength: a.length, Body: io.NopCloser(a)}, nil
}

func (a *answers) Read(p []byte) (int, error) {
	n, err := a.body.Read(p)
	a.read += n
	return n, err
}

// endless is an answer that goes on for ever.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestAnswerIsReadUpToTheBound(t *testing.T) {
	const most = 100
	text := strings.Repeat("x", most+1)
	for name, tt := range map[string]struct {
		body     io.Reader
		length   int64
		got      int
		tooLarge bool
		read     int // at most
	}{
		"shorter":                  {strings.NewReader(text[:99]), -1, 99, false, 99},
		"just as long":             {strings.NewReader(text[:most]), -1, most, false, most},
		"just as long, byte-wise":  {iotest.OneByteReader(strings.NewReader(text[:most])), -1, most, false, most},
		"just as long, and says":   {strings.NewReader(text[:most]), most, most, false, most},
		"just as long, with EOF":   {iotest.DataErrReader(strings.NewReader(text[:most])), -1, most, false, most},
		"one too long":             {strings.NewReader(text), -1, most, true, most + 1},
		"one too long, byte-wise":  {iotest.OneByteReader(strings.NewReader(text)), -1, most, true, most + 1},
		"one too long, and says":   {strings.NewReader(text), most + 1, 0, true, 0},
		"without an end":           {endless{}, -1, most, true, most + 1},
		"without an end, and says": {endless{}, 1 << 40, 0, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			a := &answers{body: tt.body, length: tt.length}
			answer, err := answerbound.Wrap(a, most).Do(nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(answer.Body)
			tooLarge, ok := errors.AsType[answerbound.TooLargeError](err)
			if len(got) != tt.got || ok != tt.tooLarge || !ok && err != nil || a.read > tt.read {
				t.Errorf("%d bytes of %d that were read, error %v; want %d of at most %d", len(got), a.read, err, tt.got, tt.read)
			}
			if ok && tooLarge.Most != most {
				t.Errorf("%v, want a bound of %d", err, most)
			}
		})
	}
}

// A call that failed has no answer to bound.
func TestCallWithoutAnAnswerFailsAsItDid(t *testing.T) {
	refused := errors.New("refused")
	if answer, err := answerbound.Wrap(failing{refused}, 1).Do(nil); answer != nil || !errors.Is(err, refused) {
		t.Errorf("%v, %v; want %v", answer, err, refused)
	}
}

type failing struct{ err error }

func (f failing) Do(*http.Request) (*http.Response, error) { return nil, f.err }
