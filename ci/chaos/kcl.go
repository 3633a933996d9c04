package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Where the workers of the Kinesis Client Library are: their source in the
// repository, and the folder of its jars in that of the servers.
const (
	kclSource = "ci/interop/kcl"
	kclJars   = "kcl-3.5.1/lib/*"
)

// compileKCL puts the classes of the library's workers into the run's folder. It
// works from the root of the repository alone.
func compileKCL(s settings) error {
	sources, err := filepath.Glob(filepath.Join(kclSource, "*.java"))
	if err != nil || len(sources) == 0 {
		return fmt.Errorf("compile the workers of KCL: no sources in %s: start from the root of the repository", kclSource)
	}
	versioned, err := filepath.Glob(filepath.Join(kclSource, "kcl3", "*.java"))
	if err != nil {
		return fmt.Errorf("compile the workers of KCL: %w", err)
	}
	arguments := append([]string{"-nowarn", "-cp", filepath.Join(s.jars, kclJars), "-d", kclClasses(s)}, append(sources, versioned...)...)
	if out, err := exec.Command("javac", arguments...).CombinedOutput(); err != nil {
		return fmt.Errorf("compile the workers of KCL: %w: %s", err, out)
	}
	return nil
}

func kclClasses(s settings) string { return filepath.Join(s.folder, "kcl") }

// kclWorker is a worker of the library with the settings that it is shipped with.
// It polls, as the others do, and checkpoints what it was given each time; its
// metrics go nowhere. What a processor throws at it is the library's to deal
// with.
func kclWorker(s settings, o order) *exec.Cmd {
	return exec.Command("java", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Daws.cborEnabled=false", // the stream's server speaks JSON
		"-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		"-Dorg.slf4j.simpleLogger.logFile=System.out",
		"-cp", kclClasses(s)+string(os.PathListSeparator)+filepath.Join(s.jars, kclJars),
		"KclWorker", "shipped", o.Kinesis, o.Dynamo, o.Application, o.Stream, o.Name, o.Ledger)
}
