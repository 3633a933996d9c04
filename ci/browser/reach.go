package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chromedp/chromedp/kb"
)

func (l *looker) keyboard() (string, error) {
	t, end, err := l.page("/fleet/", 1280, 900, "light")
	if err != nil {
		return "", err
	}
	defer end()
	const at = `(() => { const e = document.activeElement; return (e.id || e.getAttribute("class") || e.tagName) + ":" + e.textContent.trim().slice(0, 24); })()`
	if err := t.press(kb.Tab); err != nil {
		return "", err
	}
	if first, err := eval[string](t, at); err != nil || !strings.HasPrefix(first, "skip:") {
		return "", fmt.Errorf("the first stop is %q, want the link that skips the head (%v)", first, err)
	}
	seen := map[string]bool{}
	sorted, picked, stops := false, false, 0
	for range 90 {
		where, err := eval[string](t, at)
		if err != nil {
			return "", err
		}
		seen[strings.SplitN(where, ":", 2)[0]] = true
		stops++
		ring, err := eval[bool](t, `(() => { const s = getComputedStyle(document.activeElement); return document.activeElement === document.body || s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 || document.activeElement.className === "skip"; })()`)
		if err != nil || !ring {
			return "", fmt.Errorf("no ring is seen around %q (%v)", where, err)
		}
		inHead, err := eval[bool](t, `!!document.activeElement.closest("#t-shards thead") && document.activeElement.textContent.startsWith("Records/s")`)
		if err != nil {
			return "", err
		}
		if inHead && !sorted {
			if err := errors.Join(t.press(kb.Enter), t.until(3*time.Second, `document.activeElement.closest("th").getAttribute("aria-sort") === "descending"`)); err != nil {
				return "", err
			}
			sorted = true
		}
		inRow, err := eval[bool](t, `!!document.activeElement.closest("#t-shards tbody")`)
		if err != nil {
			return "", err
		}
		if inRow && !picked {
			if err := errors.Join(t.press(kb.Enter), t.until(3*time.Second, `!document.getElementById("detail").hidden && document.activeElement.id === "h-detail"`)); err != nil {
				return "", err
			}
			if err := errors.Join(t.press(kb.Tab, kb.Enter), t.until(3*time.Second, `document.getElementById("detail").hidden && document.activeElement.closest("#t-shards tbody")`)); err != nil {
				return "", err
			}
			picked = true
			break
		}
		if err := t.press(kb.Tab); err != nil {
			return "", err
		}
	}
	for _, want := range []string{"theme", "z-in", "find", "state"} {
		if !seen[want] {
			return "", fmt.Errorf("%q is not reached by Tab", want)
		}
	}
	if !sorted || !picked {
		return "", fmt.Errorf("sorted %v, picked %v", sorted, picked)
	}
	return fmt.Sprintf("%d stops, each with a ring; sorted, opened and closed by Enter", stops), well(t)
}

// lineage walks over the bars as somebody does who has no mouse, and asks what is
// said to somebody who does not see them.
func (l *looker) lineage() (string, error) {
	t, end, err := l.page("/fleet/", 1280, 900, "light")
	if err != nil {
		return "", err
	}
	defer end()
	if err := t.until(20*time.Second, `document.querySelectorAll("#lineage .s-ended").length >= 4`); err != nil {
		return "", err
	}
	stops, err := eval[float64](t, `document.querySelectorAll("#lineage [tabindex='0']").length`)
	if err != nil || stops != 1 {
		return "", fmt.Errorf("%.0f bars are reached by Tab, want one (%v)", stops, err)
	}
	const said = `(() => { const e = document.activeElement; return e.closest("#lineage") ? e.getAttribute("role") + ", " + e.getAttribute("aria-label") : ""; })()`
	if err := t.inject(`document.querySelector("#lineage [tabindex='0']").focus()`); err != nil {
		return "", err
	}
	var walk []string
	heard := map[string]bool{}
	for _, key := range []string{kb.Home, kb.ArrowRight, kb.ArrowDown, kb.ArrowUp, kb.End} {
		if err := t.press(key); err != nil {
			return "", err
		}
		at, err := eval[string](t, said)
		if err != nil || !strings.HasPrefix(at, "button, Shard ") {
			return "", fmt.Errorf("after %d keys the focus is on %q, want a bar that says its shard (%v)", len(walk)+1, at, err)
		}
		walk, heard[at] = append(walk, strings.TrimPrefix(at, "button, ")), true
	}
	if len(heard) < 4 || walk[1] != walk[3] {
		return "", fmt.Errorf("the keys lead to %s: want another bar each, and back from a child to its parent", strings.Join(walk, "; "))
	}
	// What opens is about that bar, and closing it leads back.
	last := strings.Split(strings.TrimPrefix(walk[4], "Shard "), ",")[0]
	err = errors.Join(
		t.press(kb.Enter), t.until(3*time.Second, fmt.Sprintf(`document.activeElement.id === "h-detail" && document.activeElement.textContent === "Shard %s"`, last)),
		t.press(kb.Tab, kb.Enter), t.until(3*time.Second, `document.getElementById("detail").hidden && document.activeElement.closest("#lineage")`))
	return strings.Join(walk, "; "), errors.Join(err, well(t))
}

// unseen has the page believe that it is hidden, in a time that goes by fast.
func (l *looker) unseen() (string, error) {
	t, end, err := l.page("/fleet/", 1280, 900, "light")
	if err != nil {
		return "", err
	}
	defer end()
	const now = `Object.defineProperty(document, "visibilityState", { configurable: true, value: %q }); document.dispatchEvent(new Event("visibilitychange"))`
	err = errors.Join(
		t.inject(`{ const was = window.setTimeout; window.setTimeout = (f, ms) => was(f, ms / 60); }`),
		t.inject(fmt.Sprintf(now, "hidden")),
		t.until(10*time.Second, `document.getElementById("link").dataset.state === "waiting"`))
	if err != nil {
		return "", err
	}
	before := t.received()
	time.Sleep(3 * time.Second)
	if more := t.received() - before; more > 0 {
		return "", fmt.Errorf("it was sent %.0f bytes more", more)
	}
	began := time.Now()
	err = errors.Join(t.inject(fmt.Sprintf(now, "visible")), t.until(10*time.Second, `document.getElementById("link").dataset.state === "live"`))
	return fmt.Sprintf("live again %.1f s after it is seen", time.Since(began).Seconds()), errors.Join(err, well(t))
}
