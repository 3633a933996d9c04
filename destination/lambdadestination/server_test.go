package lambdadestination_test

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/lambdadestination"
	"github.com/towpath/towpath/internal/servertest"
)

// code writes each event it gets on a line of a file, and fails if it is told to.
// A server of this machine runs it in a process of this machine.
const code = `
import base64, json, os

def handler(event, context):
    if os.path.exists(os.environ["CALLS"] + ".refuse"):
        raise ValueError("canary " + json.dumps(event))
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":")).replace("\x7f", "\\u007f")
    line = base64.b64encode(text.encode("utf-8", "surrogatepass"))
    with open(os.environ["CALLS"], "ab") as out:
        out.write(line + b"\n")
    return "done"
`

// wireFunction makes a function and reads what it wrote down.
func wireFunction(t *testing.T, options ...func(*lambdadestination.Options)) (*lambdadestination.Function, string, func(*testing.T) [][]byte) {
	client := lambda.NewFromConfig(servertest.Config(t, "aws"))
	calls := filepath.Join(t.TempDir(), "calls")
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	file, err := z.Create("orders.py")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write([]byte(code)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("orders-%d", time.Now().UnixNano())
	_, err = client.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: &name, Runtime: types.RuntimePython311, Handler: aws.String("orders.handler"),
		Role: aws.String("arn:aws:iam::000000000000:role/function"), Timeout: aws.Int32(60),
		Code: &types.FunctionCode{ZipFile: archive.Bytes()}, Environment: &types.Environment{Variables: map[string]string{"CALLS": calls}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return lambdadestination.Open(client, name, options...), calls, func(t *testing.T) (all [][]byte) { return readCalls(t, calls) }
}

func readCalls(t *testing.T, path string) (all [][]byte) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		event, err := base64.StdEncoding.DecodeString(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, event)
	}
	return all
}

func synchronous(o *lambdadestination.Options) { o.Synchronous = true }

func TestFunctionIsADestinationOnAServer(t *testing.T) {
	if servertest.Lacks(t, "lambda") {
		return
	}
	destinationtest.RunDestination(t, func(t *testing.T) destinationtest.Rig {
		f, calls, events := wireFunction(t, synchronous)
		return destinationtest.Rig{
			Destination: f,
			MaxBytes:    destination.MaxLambdaBytes,
			Accepted: func(t *testing.T) (all []destinationtest.Accepted) {
				for _, event := range events(t) {
					all = append(all, destinationtest.Accepted{Body: event})
				}
				return all
			},
			Refuse: func(t *testing.T) func() {
				if err := os.WriteFile(calls+".refuse", nil, 0o600); err != nil {
					t.Fatal(err)
				}
				return func() {
					if err := os.Remove(calls + ".refuse"); err != nil {
						t.Fatal(err)
					}
				}
			},
		}
	})
}

// TestEmittedReachAFunctionOnAServer has fewer records than the suite: each takes
// a process of the server.
func TestEmittedReachAFunctionOnAServer(t *testing.T) {
	if servertest.Lacks(t, "lambda") {
		return
	}
	f, _, events := wireFunction(t, synchronous)
	records := destinationtest.SampleEmitted(12, 3)
	if err := f.Publish(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	last := map[string]string{}
	for _, event := range events(t) {
		d, err := destination.ParseDocument(event)
		if err != nil {
			t.Fatal(err)
		}
		if d.ID <= last[d.Key] {
			t.Errorf("%s came behind %s", d.ID, last[d.Key])
		}
		last[d.Key] = d.ID
	}
	if got := len(events(t)); got != 12 || len(last) != 3 {
		t.Errorf("the function was called %d times with %d keys, want 12 with 3", got, len(last))
	}
}

// TestEventsReachAFunctionOnAServer does not wait for the function, but for what
// it writes.
func TestEventsReachAFunctionOnAServer(t *testing.T) {
	if servertest.Lacks(t, "lambda") {
		return
	}
	f, _, events := wireFunction(t)
	if err := f.Send(t.Context(), destinationtest.Sample(2)); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if all := events(t); len(all) == 1 {
			if _, err := destination.ParseEnvelope(all[0]); err != nil {
				t.Error(err)
			}
			return
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-t.Context().Done():
		}
	}
	t.Error("the function was not called within 10 s")
}

func TestMissingFunctionIsReadableOnAServer(t *testing.T) {
	if servertest.Lacks(t, "lambda") {
		return
	}
	client := lambda.NewFromConfig(servertest.Config(t, "aws"))
	err := lambdadestination.Open(client, "there-is-no-such-function").Send(t.Context(), destinationtest.Sample(1))
	if err == nil || !strings.Contains(err.Error(), "there is no such function") {
		t.Errorf("error %v, want one that says what is missing", err)
	}
}
