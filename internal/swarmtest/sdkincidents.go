package swarmtest

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// rage has the weather change and the incidents happen, until the storm is over.
func (w *sdk) rage() {
	start := time.Now()
	skies, incidents := w.realm.skies, w.realm.incidents
	for len(skies)+len(incidents) > 0 {
		next := w.plan.Storm
		if len(skies) > 0 {
			next = min(next, skies[0].at)
		}
		if len(incidents) > 0 {
			next = min(next, incidents[0].at)
		}
		select {
		case <-time.After(next - time.Since(start)):
		case <-w.storming:
			return
		}
		if len(skies) > 0 && skies[0].at <= next {
			w.sky.set(skies[0].weather)
			skies = skies[1:]
			continue
		}
		w.befalls(&incidents[0])
		incidents = incidents[1:]
	}
}

// befalls has an incident happen. A row that is edited is mended when the storm is
// over.
func (w *sdk) befalls(in *incident) {
	if in.code != "" {
		who := ""
		if !in.everybody {
			w.mu.Lock()
			who = w.order[in.n%len(w.order)]
			w.mu.Unlock()
		}
		w.sky.refuse(spell{worker: who, service: in.service, code: in.code, until: time.Now().Add(in.lasts)})
		return
	}
	var rows []dynamofake.Item
	for _, row := range w.rig.AWS.DynamoDB().Items(streamtest.Application) {
		if row["checkpoint"].Text() != shard.End().String() {
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		return
	}
	row := rows[in.n%len(rows)]
	w.mu.Lock()
	defer w.mu.Unlock()
	key := row["leaseKey"].Text()
	if _, already := w.garbled[key]; already {
		return
	}
	w.garbled[key] = row
	edited := maps.Clone(row)
	edited["checkpoint"] = dynamofake.S(in.garbage)
	w.rig.PutRow(edited)
}

// mend gives rows that were edited their positions back, unless they are gone.
func (w *sdk) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, before := range w.garbled {
		row, there := w.rig.AWS.DynamoDB().Item(streamtest.Application, dynamofake.Item{"leaseKey": dynamofake.S(key)})
		if text := row["checkpoint"].Text(); there && slices.Contains(garbage, text) {
			mended := maps.Clone(row)
			mended["checkpoint"] = before["checkpoint"]
			w.rig.PutRow(mended)
		}
	}
}

func (i *incident) String() string {
	return fmt.Sprintf("%v %s %s %q %v", i.at, i.code, i.service, i.garbage, i.lasts)
}
