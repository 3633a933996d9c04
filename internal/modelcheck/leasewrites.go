package modelcheck

// apply has the table carry out a worker's request.
func (m *LeaseModel) apply(s *LeaseState, w *leaseWorker) error {
	ok, err := true, error(nil)
	if w.asked.kind == askRead {
		ok = false
	} else {
		ok, err = m.write(s, w.asked)
	}
	w.state, w.answer = seen, s.row
	if ok {
		w.state = answered
	}
	return err
}

// write has the table carry out a request, and looks at what it did.
func (m *LeaseModel) write(s *LeaseState, r request) (bool, error) {
	was := s.row
	call := tableCall{row: s.row, ask: r}
	if s.row.gone {
		call.epoch = s.epoch
	}
	a := m.writes.get(call, m.ask)
	if !a.ok {
		return false, nil
	}
	s.row = a.row
	s.epoch = max(s.epoch, s.row.counter>>4)
	return true, m.wrote(s, was, r)
}

// wrote looks at a write that was applied.
func (m *LeaseModel) wrote(s *LeaseState, was leaseRow, r request) error {
	now := s.row
	if was.gone {
		if now.mayWrite() != 0 {
			if now.counter <= s.fence {
				return breach("Inv-12, the fence grows: the row is back with %s, and there was %s", showCounter(now.counter), showCounter(s.fence))
			}
			s.fence = now.counter
		}
		return s.noSkip()
	}
	switch {
	case now.counter <= was.counter && r.kind != byHandAsk && r.kind != byHandWithdraw:
		return breach("Inv-4, fenced: the %s leaves the counter at %s", requestNames[r.kind], showCounter(now.counter))
	case now.at < was.at && now.gen <= was.gen:
		return breach("Inv-3, forward: the %s takes the position from %d to %d", requestNames[r.kind], was.at, now.at)
	}
	if to := now.mayWrite(); to != was.mayWrite() && to != 0 {
		if now.counter <= s.fence {
			return breach("Inv-12, the fence grows: %s gets the lease with %s, and there was %s", names[to], showCounter(now.counter), showCounter(s.fence))
		}
		s.fence = now.counter
	}
	return s.noSkip()
}

// noSkip is Inv-1: what the position has passed is finished.
func (s *LeaseState) noSkip() error {
	for n := uint8(1); n <= s.row.at; n++ {
		if n > s.floor && s.finished&(1<<n) == 0 {
			return breach("Inv-1, no skip: the position is %d, and record %d was never finished", s.row.at, n)
		}
	}
	return nil
}

// hand does what somebody else does.
func (m *LeaseModel) hand(s *LeaseState, move Move) error {
	r := request{held: s.row}
	switch move.Kind {
	case handAsk:
		r.kind, r.to = byHandAsk, move.B
	case handWithdraw:
		r.kind = byHandWithdraw
	case handCreate:
		r.kind = byHandCreate
	case handSeek:
		r.kind, r.at = byHandSeek, move.A
		s.seeks++
		s.floor = max(s.floor, move.A)
		s.finished &= 1<<(move.A+1) - 1 // what lies behind is to be handled anew
	}
	_, err := m.write(s, r)
	s.order()
	return err
}
