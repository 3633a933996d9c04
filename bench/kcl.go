package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/towpath/towpath/bench/measure"
)

//go:embed kcl/CountingWorker.java
var worker []byte

// kclVersion is what is measured: the newest when this was written.
const kclVersion = "3.5.1"

// kcl is what measurements of the Kinesis Client Library need.
type kcl struct {
	folder string // in which the worker is compiled
	jars   string
	dynamo string // endpoint
	server *exec.Cmd
}

// errNotInstalled says that the KCL cannot be measured here.
var errNotInstalled = errors.New("not installed: run ci/servers.sh install and ci/interop.sh install, or name their folder with -emulators")

// startKCL compiles the worker and starts the DynamoDB that the library keeps its
// leases in: it writes with parameters that the one in the process does not have.
func startKCL(ctx context.Context, emulators string) (k *kcl, err error) {
	jars := filepath.Join(emulators, "kcl-"+kclVersion)
	local, err := filepath.Glob(filepath.Join(emulators, "dynamodb-local-*"))
	if _, statErr := os.Stat(filepath.Join(jars, "installed")); err != nil || statErr != nil || len(local) == 0 {
		return nil, fmt.Errorf("kcl %s: %w", kclVersion, errNotInstalled)
	}
	folder, err := os.MkdirTemp("", "bench-kcl")
	if err != nil {
		return nil, fmt.Errorf("kcl: %w", err)
	}
	k = &kcl{folder: folder, jars: filepath.Join(jars, "lib", "*")}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("kcl: %w", err), k.stop())
		}
	}()
	source := filepath.Join(folder, "CountingWorker.java")
	if err := os.WriteFile(source, worker, 0o600); err != nil {
		return nil, err
	}
	if said, err := exec.CommandContext(ctx, "javac", "-nowarn", "-cp", k.jars, "-d", folder, source).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compile the worker: %w: %s", err, end(string(said)))
	}
	return k, k.startDynamo(ctx, local[len(local)-1])
}

func (k *kcl) startDynamo(ctx context.Context, local string) error {
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	class := filepath.Join(local, "classes") + string(os.PathListSeparator) + filepath.Join(local, "lib", "*")
	k.server = exec.Command("java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.io.tmpdir="+k.folder,
		"-Djava.library.path="+filepath.Join(local, "lib"), "-cp", class, "RollingDynamo", ports[0], ports[1])
	k.server.Env = append(os.Environ(), "DDB_LOCAL_TELEMETRY=0")
	if err := k.server.Start(); err != nil {
		k.server = nil
		return fmt.Errorf("start DynamoDB Local: %w", err)
	}
	k.dynamo = "http://127.0.0.1:" + ports[0]
	for began := time.Now(); ; {
		answer, err := http.Get("http://127.0.0.1:" + ports[1] + "/ping")
		if err == nil {
			return answer.Body.Close()
		}
		if time.Since(began) > time.Minute {
			return fmt.Errorf("wait for DynamoDB Local: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for DynamoDB Local: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond): // between two requests to another process
		}
	}
}

// freePorts are ports that nothing listens on.
func freePorts(n int) (ports []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close()
		ports = append(ports, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
	return ports, nil
}

func (k *kcl) measure(ctx context.Context, t measure.Task) (measure.Usage, error) {
	endpoint := t.Server.Plain
	if t.TLS {
		endpoint = t.Server.TLS
	}
	return usageOf(ctx, t.Consumer, "java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", k.folder+string(os.PathListSeparator)+k.jars,
		"CountingWorker", endpoint, k.dynamo, t.Application, t.Stream.Name(), strconv.FormatInt(t.Warm, 10), strconv.FormatInt(t.Count, 10))
}

// stop ends what was started.
func (k *kcl) stop() error {
	if k == nil {
		return nil
	}
	if k.server != nil {
		_ = k.server.Process.Kill()
		_ = k.server.Wait() // it was killed
	}
	return os.RemoveAll(k.folder)
}
