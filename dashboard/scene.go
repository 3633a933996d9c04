package dashboard

import (
	"context"
	"sync"
	"time"

	"github.com/towpath/towpath/consumer"
)

// tablesTimeout is what one look at the tables may take: a scan of 10,000 rows
// takes two seconds.
const tablesTimeout = 10 * time.Second

// queued is how many changes wait for a viewer at most. One that is further
// behind than that is let go; it comes again and gets the whole picture.
const queued = 8

// scene is one source: what was seen of it last, its curves, and its viewers.
type scene struct {
	cfg *Config
	src Source

	// Of the goroutine that looks alone.
	tables   tables    // as last read
	triedAt  time.Time // when they were read last, or could not be
	readAt   time.Time // when they were read last
	trouble  string
	failing  bool // not even the tables could be read when that was tried last
	passings passings

	mu       sync.Mutex // guards all below; held over no wait
	history  *history
	now      picture
	seq      int64
	whole    []byte // the event of the whole picture; nil until somebody needs it
	viewers  map[chan []byte]struct{}
	running  bool
	interest chan struct{} // told when somebody begins to look
}

func newScene(cfg *Config, src Source) *scene {
	return &scene{cfg: cfg, src: src, history: newHistory(int(cfg.History / cfg.Refresh)), now: picture{},
		viewers: map[chan []byte]struct{}{}, interest: make(chan struct{}, 1)}
}

// run looks until ctx ends, and then lets every viewer go.
func (s *scene) run(ctx context.Context) error {
	s.mu.Lock()
	s.running = true
	s.mu.Unlock()
	defer s.close()
	tick := time.NewTicker(s.cfg.Refresh)
	defer tick.Stop()
	for {
		if err := s.look(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-s.interest:
			if s.src.Tables == nil || time.Since(s.triedAt) < s.cfg.Refresh {
				// What is there is young enough; the next look comes in its time.
				select {
				case <-ctx.Done():
					return nil
				case <-tick.C:
				}
			}
		}
	}
}

// look looks once, and tells the viewers.
func (s *scene) look(ctx context.Context) error {
	s.readTables(ctx)
	if ctx.Err() != nil {
		return nil
	}
	now := time.Now()
	var statuses []consumer.Status
	for _, status := range s.src.Statuses {
		statuses = append(statuses, status())
	}
	if s.src.Current != nil {
		statuses = append(statuses, s.src.Current()...)
	}
	seen := s.src.Recorder.take()

	v := newView()
	v.about = about{Title: s.cfg.Title, Source: s.src.Name, At: now.UnixMilli(), TablesAt: -1, Trouble: s.trouble, Failing: s.failing, HasTables: s.src.Tables != nil,
		HasHere: len(s.src.Statuses) > 0 || s.src.Current != nil, HasRecorder: s.src.Recorder != nil,
		Refresh: s.cfg.Refresh.Milliseconds(), Texts: s.cfg.ErrorText != nil, Points: len(s.history.points)}
	if !s.readAt.IsZero() {
		v.about.TablesAt = s.readAt.UnixMilli()
	}
	stale := time.Duration(0)
	if s.failing {
		stale = now.Sub(s.readAt)
	}
	v.addTables(s.tables, stale)
	finished := v.addStatuses(now, statuses, s.cfg.ErrorText)
	v.addRecorded(seen, s.cfg.ErrorText)
	v.handovers = s.passings.with(v.handovers)

	s.mu.Lock()
	rates := s.history.rates(now, finished)
	p := v.finish(now, rates, s.history.steady)
	s.history.sample(p, v.lags(), rates)
	next := v.picture()
	c := changed(s.now, next)
	s.seq++
	c.Seq, c.Full, c.Points = s.seq, s.seq == 1, []point{p}
	s.now, s.whole = next, nil
	watched := len(s.viewers) > 0
	s.mu.Unlock()
	if !watched {
		return nil
	}
	event, err := c.event()
	if err != nil {
		return err
	}
	s.tell(event)
	return nil
}

// readTables reads the tables if that is due.
func (s *scene) readTables(ctx context.Context) {
	if s.src.Tables == nil {
		return
	}
	s.mu.Lock()
	watched := len(s.viewers) > 0
	s.mu.Unlock()
	pause := s.cfg.Idle
	switch {
	case s.failing:
		// Tables that are not there yet soon are; and those that are throttled are
		// not scanned all the harder for being looked at.
		pause = min(pause, 5*s.cfg.Refresh)
	case watched:
		pause = 0
	}
	if !s.triedAt.IsZero() && time.Since(s.triedAt) < pause {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, tablesTimeout)
	defer cancel()
	fleet, err := s.src.Tables(ctx)
	now := time.Now()
	s.triedAt, s.trouble, s.failing = now, "", fleet == nil
	if err != nil {
		s.trouble = clean(err.Error())
	}
	if fleet != nil { // it may come with an error, where only the stream could not be asked
		before, since := s.tables, s.readAt
		s.tables, s.readAt = readFleet(fleet, now), now
		s.passings.see(since, now, before, s.tables)
	}
}

// tell hands an event to every viewer, and lets those go that are too far behind.
func (s *scene) tell(event []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for v := range s.viewers {
		select {
		case v <- event:
		default:
			delete(s.viewers, v)
			close(v)
		}
	}
}

// enter begins to look: the event of the whole picture, and the channel of what
// changes after it, which is closed when the viewer is let go. Before the first
// look the whole is empty: it is the first of the changes. Where nothing is looked
// at the error is errNotRunning.
func (s *scene) enter() (whole []byte, changes chan []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		return nil, nil, errNotRunning
	}
	if s.whole == nil && s.seq > 0 {
		c := change{Seq: s.seq, Full: true, Set: s.now, Points: s.history.all()}
		if s.whole, err = c.event(); err != nil {
			return nil, nil, err
		}
	}
	changes = make(chan []byte, queued)
	s.viewers[changes] = struct{}{}
	select {
	case s.interest <- struct{}{}:
	default:
	}
	return s.whole, changes, nil
}

// leave ends what enter began.
func (s *scene) leave(changes chan []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.viewers, changes)
}

// close lets every viewer go.
func (s *scene) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = false
	for v := range s.viewers {
		delete(s.viewers, v)
		close(v)
	}
}

// curves are those of one shard.
func (s *scene) curves(id string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.history.ofShard(id)
}
