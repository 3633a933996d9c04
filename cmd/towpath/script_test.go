package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/towpath/towpath/streamtest/awsfake"
)

// The test binary is the command, where a script calls it. It waits longer for an
// answer than for a person, unless it is told otherwise: the machine may be busy.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"towpath": func() {
		os.Args = slices.Insert(os.Args, 1, "-timeout", "1m")
		main()
	}})
}

// TestScripts runs testdata/script/*.txtar: one file a command, with what it
// prints and the status it ends with. Each has an AWS of its own on loopback, to
// which its environment leads. Beside testscript's own commands there are
//
//	status N towpath …        runs it and wants the exit status N
//	until PATTERN towpath …   runs it again and again until it prints that, for what
//	                          goes by the heartbeats of a fleet; two minutes at most
//	stream NAME SHARDS        makes a stream of Kinesis
//	put NAME COUNT [KEY]      puts COUNT records, under KEY or under k0, k1, …
//	flow NAME PER-SECOND      puts so many records a second from now on
//	split NAME SHARD          splits a shard, and merge NAME SHARD SHARD merges two
//	queue NAME                makes a queue of SQS, and bucket NAME a bucket
//	rows APP STREAM [SHARD=POSITION …]
//	                          makes the tables of an application that nobody works,
//	                          with a row a shard: horizon, or a place as of seek
//	fleet APP STREAM WORKERS [failing]
//	                          starts workers w1, w2, … and waits until they have
//	                          handled what was put and saved it; with failing
//	                          they refuse every record whose key begins with bad
//	handled APP COUNT         waits until the fleet has handled COUNT records
//	halt APP                  ends the fleet
//	item TABLE NAME=VALUE …   puts an item, the table made if it is not there, by
//	                          its first name; N:NAME=… is a number
//	changes NAME              makes a table, by id, whose changes go to a stream
//	table NAME KEY [SORT]     makes a table with these keys
//	deny SERVICE OPERATION    refuses a call for want of a permission from now on
//	down SERVICE              breaks every connection to a service from now on
//	heal                      ends every deny and down
//	worker NAME STATUS BODY   answers so, like a worker's health, at the address $NAME
//
// in scene_test.go and scenefleet_test.go. Times and ids differ from run to run: match them by regular
// expressions, with stdout and stderr.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			s := newScene()
			url, stop, err := s.aws.Serve()
			if err != nil {
				return err
			}
			env.Defer(func() { s.end(); stop() })
			env.Values[sceneKey{}] = s
			for name, value := range surroundings(url) {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": statusCommand, "until": untilCommand, "worker": workerCommand, "stream": scened(streamScene), "put": scened(putScene), "flow": scened(flowScene), "split": scened(splitScene),
			"merge": scened(mergeScene), "queue": scened(queueScene), "changes": scened(changesScene), "bucket": scened(bucketScene), "rows": scened(rowsScene),
			"fleet": scened(fleetScene), "handled": scened(handledScene), "halt": scened(haltScene), "item": scened(itemScene),
			"table": scened(tableScene), "deny": scened(denyScene), "down": scened(downScene), "heal": scened(healScene),
		},
	})
}

// surroundings are what the environment says in every script.
func surroundings(url string) map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL": url, "AWS_REGION": awsfake.Region, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"USER": "ada", "TERM": "dumb", "NO_COLOR": "",
	}
}

type sceneKey struct{}

// scened gives a command of scripts its scene.
func scened(do func(ctx context.Context, s *scene, args []string) error) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, not bool, args []string) {
		if not {
			ts.Fatalf("a scene cannot be wanted not to be")
		}
		if err := do(context.Background(), ts.Value(sceneKey{}).(*scene), args); err != nil {
			ts.Fatalf("%v", err)
		}
	}
}

// statusCommand runs a program and wants an exit status.
func statusCommand(ts *testscript.TestScript, not bool, args []string) {
	if len(args) < 2 || not {
		ts.Fatalf("usage: status N program [argument …]")
	}
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		got = strings.TrimPrefix(fmt.Sprint(err), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("%s ended with %s, want %s", args[1], got, args[0])
	}
}

// untilCommand runs a program until it prints what a pattern says.
func untilCommand(ts *testscript.TestScript, not bool, args []string) {
	if len(args) < 2 || not {
		ts.Fatalf("usage: until pattern program [argument …]")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for began := time.Now(); ; {
		err := ts.Exec(args[1], args[2:]...)
		switch {
		case err == nil && want.MatchString(ts.ReadFile("stdout")):
			return
		case time.Since(began) > patience:
			ts.Fatalf("after %s %s does not print %s (%v)", patience, args[1], args[0], err)
		}
	}
}

// Every command has a script that calls it, and one that calls it wrongly.
func TestEveryCommandHasAScript(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	// A flag before the command may have a value.
	for _, c := range commands() {
		calls := `(until '[^']*' )?towpath( -[a-z-]+( [a-z0-9]+)?)* ` + c.Name + `( |\n)`
		for what, want := range map[string]string{"it": `(?m)^` + calls, "it wrongly": `(?m)^status 2 ` + calls} {
			if !regexp.MustCompile(want).MatchString(all.String()) {
				t.Errorf("no script calls %s: %s", what, c.Name)
			}
		}
	}
}
