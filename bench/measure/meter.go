package measure

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"sync/atomic"
	"syscall"
	"time"
)

// meter counts records, and takes a reading when the warm-up is over and when
// enough were counted.
type meter struct {
	warm, end int64
	profile   string

	records atomic.Int64
	first   reading // taken once, before begun is closed
	begun   chan struct{}
	done    chan struct{} // closed when usage is there
	usage   Usage
	err     error
}

// reading is what the process had taken at an instant.
type reading struct {
	records int64
	at      time.Time
	cpu     time.Duration
	allocs  uint64
	bytes   uint64
	file    *os.File // to which the profile goes
}

func newMeter(t Task) *meter {
	return &meter{warm: t.Warm, end: t.Warm + t.Count, profile: t.Profile, begun: make(chan struct{}), done: make(chan struct{})}
}

// add counts n records. Of many goroutines one takes the first reading, and one
// the last, which waits for the first.
func (m *meter) add(n int) {
	now := m.records.Add(int64(n))
	before := now - int64(n)
	if before < m.warm && now >= m.warm {
		m.first, m.err = m.read(now)
		if m.err == nil {
			m.err = m.startProfile()
		}
		close(m.begun)
	}
	if before < m.end && now >= m.end {
		<-m.begun
		last, err := m.read(now)
		if m.err == nil {
			m.err = err
		}
		m.stopProfile()
		m.usage = between(m.first, last)
		close(m.done)
	}
}

// result is what was used, after done.
func (m *meter) result() (Usage, error) { return m.usage, m.err }

func (m *meter) read(records int64) (reading, error) {
	cpu, err := processTime()
	if err != nil {
		return reading{}, err
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return reading{records: records, at: time.Now(), cpu: cpu, allocs: stats.Mallocs, bytes: stats.TotalAlloc}, nil
}

func between(a, b reading) Usage {
	return Usage{
		Records: b.records - a.records, CPU: b.cpu - a.cpu, Wall: b.at.Sub(a.at),
		Allocs: int64(b.allocs - a.allocs), Bytes: int64(b.bytes - a.bytes),
	}
}

func (m *meter) startProfile() error {
	if m.profile == "" {
		return nil
	}
	file, err := os.Create(m.profile)
	if err != nil {
		return fmt.Errorf("keep a profile: %w", err)
	}
	m.first.file = file
	return pprof.StartCPUProfile(file)
}

func (m *meter) stopProfile() {
	if m.first.file == nil {
		return
	}
	pprof.StopCPUProfile()
	if err := m.first.file.Close(); m.err == nil {
		m.err = err
	}
}

// processTime is what the process has taken so far, in all threads.
func processTime() (time.Duration, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, fmt.Errorf("read the process's time: %w", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}
