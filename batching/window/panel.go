package window

// snapshot is the panel as bytes.
func (p *panel) snapshot() []byte {
	w := &writer{}
	w.byte(kindTumbling)
	w.number(p.closed)
	w.flag(p.open)
	if p.open {
		w.span(p.span)
		w.flag(p.state != nil)
		w.bytes(p.state)
	}
	return w.seal()
}

// readPanel is the panel that a snapshot was made of; none is an empty one.
func readPanel(data []byte) (p panel, err error) {
	if len(data) == 0 {
		return panel{}, nil
	}
	r := open(data, kindTumbling)
	p.closed = r.number()
	if r.err == nil && (p.closed < 0 || p.closed > farthest) {
		r.fail("a window ended at %d", p.closed)
	}
	if p.open = r.flag(); p.open {
		p.span = r.span()
		there := r.flag()
		p.state = r.bytes()
		if !there {
			p.state = nil
		} else if p.state == nil {
			p.state = []byte{}
		}
	}
	if err := r.end(); err != nil {
		return panel{}, err
	}
	return p, nil
}
