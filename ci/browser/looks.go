package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// looker is what the looks have in common.
type looker struct {
	settings
	browser context.Context
	house   *house
	stage   *stage
}

// looks are the promises, in order. Each says what it has seen.
var looks = []struct {
	promise string
	look    func(*looker) (string, error)
}{
	{"a fleet at work is shown, with its lineage", (*looker).fleet},
	{"what changes is shown without loading the page again", (*looker).live},
	{"no payload, key or text of an error is on the page", (*looker).quiet},
	{"a shard can be picked, and its curves are drawn", (*looker).detail},
	{"everything can be reached and worked by keyboard", (*looker).keyboard},
	{"the lineage is walked by arrow keys, and said in words", (*looker).lineage},
	{"a page that nobody sees asks for nothing", (*looker).unseen},
	{"the page is good in light, dark and on a phone", (*looker).portraits},
	{"accessibility rules are kept", (*looker).rules},
	{"1,000 shards are drawn at once and stay smooth", (*looker).thousand},
	{"what is not known, old or wrong is said to be", (*looker).troubles},
	{"names of enemies do nothing", (*looker).hostile},
	{"towpath top looks as it should in a terminal", (*looker).terminal},
	{"the page goes on when the server comes back", (*looker).restart},
}

// page opens a tab at a path of the house.
func (l *looker) page(path string, width, height int64, theme string) (*tab, func(), error) {
	t, end, err := newTab(l.browser, l.house.origin)
	if err != nil {
		return nil, nil, err
	}
	if err := errors.Join(t.sized(width, height, theme), t.open(l.house.origin+path)); err != nil {
		end()
		return nil, nil, errors.Join(err, fmt.Errorf("noted: %s", strings.Join(t.misdeeds(), "; ")))
	}
	return t, end, nil
}

// well fails if the tab did what a good page does not.
func well(t *tab, but ...string) error {
	if bad := t.misdeeds(but...); len(bad) > 0 {
		return fmt.Errorf("the page %s", strings.Join(bad, "; "))
	}
	return nil
}

func (l *looker) fleet() (string, error) {
	t, end, err := l.page("/fleet/", 1280, 900, "light")
	if err != nil {
		return "", err
	}
	defer end()
	// Until the stream has been resharded three times and the newest are held.
	if err := t.until(40*time.Second, `document.querySelectorAll("#lineage .bar").length >= 10 && document.querySelectorAll("#t-workers tbody tr").length >= 3 && document.querySelectorAll("#lineage .s-ended").length >= 4`); err != nil {
		return "", err
	}
	told, err := eval[string](t, `document.querySelector("#lineage-title").textContent + ": " + document.querySelector("#lineage-desc").textContent`)
	return told, errors.Join(err, well(t))
}

func (l *looker) live() (string, error) {
	t, end, err := l.page("/fleet/", 1280, 900, "light")
	if err != nil {
		return "", err
	}
	defer end()
	if err := t.inject(`window.stayed = true`); err != nil {
		return "", err
	}
	const sum = `[...document.querySelectorAll("#t-shards tbody td, #tiles .value")].map((e) => e.textContent).join("|")`
	before, err := eval[string](t, sum)
	if err != nil {
		return "", err
	}
	began := time.Now()
	if err := t.until(10*time.Second, fmt.Sprintf("%s !== %q && window.stayed", sum, before)); err != nil {
		return "", err
	}
	took := time.Since(began)
	if err := t.until(10*time.Second, `/\d/.test(document.querySelector("#tile-rate .value").textContent)`); err != nil {
		return "", err
	}
	rate, err := eval[string](t, `document.querySelector("#tile-rate").innerText.replace(/\s+/g, " ")`)
	return fmt.Sprintf("changed within %.1f s; %s", took.Seconds(), rate), errors.Join(err, well(t))
}

func (l *looker) quiet() (string, error) {
	t, end, err := l.page("/fleet/", 1280, 900, "light")
	if err != nil {
		return "", err
	}
	defer end()
	if err := t.until(20*time.Second, `[...document.querySelectorAll("#t-failures tbody tr")].some((r) => r.textContent.includes("given up"))`); err != nil {
		return "", err
	}
	for _, where := range []string{`document.documentElement.outerHTML`, `fetch("events").then(async (r) => { const d = r.body.getReader(); let s = ""; const end = Date.now() + 3000; while (Date.now() < end) { const c = await d.read(); if (c.done) break; s += new TextDecoder().decode(c.value); } d.cancel(); return s; })`} {
		text, err := eval[string](t, where)
		switch {
		case err != nil:
			return "", err
		case len(text) < 1000:
			return "", fmt.Errorf("only %d characters were looked at", len(text))
		case strings.Contains(text, canary):
			i := strings.Index(text, canary)
			return "", fmt.Errorf("the canary is there: %q", text[max(0, i-80):i+40])
		}
	}
	row, err := eval[string](t, `[...document.querySelectorAll("#t-failures tbody tr")].find((r) => r.textContent.includes("given up")).innerText.replace(/\s+/g, " ")`)
	return "a failure reads: " + row, errors.Join(err, well(t))
}

func (l *looker) detail() (string, error) {
	t, end, err := l.page("/fleet/", 1280, 900, "light")
	if err != nil {
		return "", err
	}
	defer end()
	if err := t.inject(`[...document.querySelectorAll("#t-shards tbody tr")].find((r) => r.textContent.includes("held")).querySelector("button").click()`); err != nil {
		return "", err
	}
	if err := t.until(10*time.Second, `!document.getElementById("detail").hidden && document.querySelector("#c-shard-lag canvas")`); err != nil {
		return "", err
	}
	told, err := eval[string](t, `document.getElementById("h-detail").textContent + ", " + document.querySelectorAll("#facts dt").length + " facts"`)
	return told, errors.Join(err, well(t))
}

// portraits keeps pictures of the fleet.
func (l *looker) portraits() (string, error) {
	var told []string
	for _, p := range []struct {
		name          string
		width, height int64
		theme, script string
	}{
		{"dashboard-light", 1280, 1240, "light", ""},
		{"dashboard-dark", 1280, 1240, "dark", ""},
		{"dashboard-phone", 360, 780, "light", ""},
		{"dashboard-shard", 1280, 900, "light", `[...document.querySelectorAll("#t-shards tbody tr")].find((r) => r.textContent.includes("held")).querySelector("button").click(); setTimeout(() => document.getElementById("detail").scrollIntoView(), 800)`},
		{"dashboard-phone-tables", 360, 780, "dark", `document.getElementById("h-shards").scrollIntoView()`},
	} {
		t, end, err := l.page("/fleet/", p.width, p.height, p.theme)
		if err != nil {
			return "", err
		}
		if p.script != "" {
			err = t.inject(p.script)
			time.Sleep(1200 * time.Millisecond)
		}
		wide, err2 := eval[float64](t, `document.documentElement.scrollWidth`)
		n, err3 := t.picture(filepath.Join(l.pictures, p.name+".png"))
		err = errors.Join(err, err2, err3, well(t))
		end()
		switch {
		case err != nil:
			return "", err
		case wide > float64(p.width):
			return "", fmt.Errorf("%s: the page is %.0f wide on a screen of %d", p.name, wide, p.width)
		case n > 250<<10:
			return "", fmt.Errorf("%s takes %d KiB: 250 at most", p.name, n>>10)
		}
		told = append(told, fmt.Sprintf("%d KiB", n>>10))
	}
	return strings.Join(told, ", "), nil
}

func (l *looker) rules() (string, error) {
	if l.axe == "" {
		return "NOT RUN: no -axe", nil
	}
	script, err := os.ReadFile(l.axe)
	if err != nil {
		return "", err
	}
	var told []string
	for _, theme := range []string{"light", "dark"} {
		t, end, err := l.page("/fleet/", 1280, 900, theme)
		if err != nil {
			return "", err
		}
		err = errors.Join(
			t.inject(`[...document.querySelectorAll("#t-shards tbody tr")].find((r) => r.textContent.includes("held")).querySelector("button").click()`),
			t.inject(string(script)))
		text, err2 := eval[string](t, `axe.run(document, {resultTypes: ["violations"]}).then((r) => r.violations.map((v) => v.impact + " " + v.id + " (" + v.nodes.length + "): " + v.nodes.slice(0, 3).map((n) => n.target.join(" ") + " " + n.any.concat(n.all, n.none).map((c) => c.message).join(", ")).join(" / ")).join("\n") + "\n" + r.passes.length + " rules")`)
		end()
		if err := errors.Join(err, err2); err != nil {
			return "", err
		}
		for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
			if strings.HasPrefix(line, "serious") || strings.HasPrefix(line, "critical") || strings.HasPrefix(line, "moderate") || strings.HasPrefix(line, "minor") {
				return "", fmt.Errorf("%s: %s", theme, text)
			}
			told = append(told, theme+": no violation, "+line)
		}
	}
	return strings.Join(told, "; "), nil
}

func (l *looker) thousand() (string, error) {
	t, end, err := newTab(l.browser, l.house.origin)
	if err != nil {
		return "", err
	}
	defer end()
	began := time.Now()
	if err := errors.Join(t.sized(1280, 900, "light"), t.open(l.house.origin+"/big/thousand/"),
		t.until(20*time.Second, `document.querySelectorAll("#lineage .bar").length === 1100`)); err != nil {
		return "", err
	}
	drawn := time.Since(began)
	few, err := l.smooth(t)
	if err != nil {
		return "", err
	}
	if err := errors.Join(t.inject(`document.getElementById("show-all").click()`), t.until(time.Minute, `document.querySelectorAll("#t-shards tbody tr").length === 1100`)); err != nil {
		return "", err
	}
	received := t.received()
	all, err := l.smooth(t)
	each := (t.received() - received) / changes
	_, err2 := t.picture(filepath.Join(l.pictures, "dashboard-thousand.png"))
	if err := errors.Join(err, err2, well(t)); err != nil {
		return "", err
	}
	told := fmt.Sprintf("drawn in %.1f s; %.0f KiB a change of all rows; longest task %.0f ms, with all in the table %.0f ms", drawn.Seconds(), each/1024, few, all)
	// On a machine that does much else a task waits for the processor too.
	if max(few, all) > 5000 {
		return "", fmt.Errorf("a key press waits for five seconds: %s", told)
	}
	return told, nil
}

// changes is how many are watched, one a second.
const changes = 5

// smooth is the longest task, in milliseconds, while the picture changes; 0 if
// none took 50.
func (l *looker) smooth(t *tab) (float64, error) {
	if err := t.inject(`window.longest = 0; new PerformanceObserver((l) => { for (const e of l.getEntries()) window.longest = Math.max(window.longest, e.duration); }).observe({ type: "longtask" })`); err != nil {
		return 0, err
	}
	time.Sleep(changes * time.Second)
	return eval[float64](t, `window.longest`)
}

func (l *looker) hostile() (string, error) {
	t, end, err := l.page("/hostile/", 1280, 900, "light")
	if err != nil {
		return "", err
	}
	defer end()
	if err := t.inject(`document.querySelector("#t-shards tbody button").click()`); err != nil {
		return "", err
	}
	time.Sleep(2500 * time.Millisecond)
	hurt, err := eval[bool](t, `window.hurt === 1 || ({}).hurt !== undefined || document.querySelectorAll("img:not([src='icon.svg']), main script").length > 0`)
	if err != nil || hurt {
		return "", fmt.Errorf("a name was taken for more than a name (%v)", err)
	}
	shown, err := eval[float64](t, `document.body.textContent.split("<img src=x onerror=").length - 1`)
	if err != nil || shown < 10 {
		return "", fmt.Errorf("the names are shown %.0f times only (%v)", shown, err)
	}
	wide, err := eval[float64](t, `document.documentElement.scrollWidth`)
	if err != nil || wide > 1280 {
		return "", fmt.Errorf("the page is %.0f wide (%v)", wide, err)
	}
	// Asking for the curves of such a shard is answered with 200 or 404, which the
	// console calls an error.
	return fmt.Sprintf("shown %.0f times as text; no dialog, no request, no script", shown), well(t, "404")
}

func (l *looker) restart() (string, error) {
	t, end, err := l.page("/fleet/", 1280, 900, "light")
	if err != nil {
		return "", err
	}
	defer end()
	if err := t.inject(`window.stayed = true`); err != nil {
		return "", err
	}
	address := strings.TrimPrefix(l.house.origin, "http://")
	l.house.close()
	if err := t.until(10*time.Second, `document.getElementById("link").dataset.state === "lost"`); err != nil {
		return "", err
	}
	time.Sleep(time.Second)
	again, err := serve(context.WithoutCancel(l.browser), address, l.house.sources)
	if err != nil {
		return "", err
	}
	l.house = again
	began := time.Now()
	if err := t.until(30*time.Second, `document.getElementById("link").dataset.state === "live" && window.stayed`); err != nil {
		return "", err
	}
	return fmt.Sprintf("live again %.1f s after the server", time.Since(began).Seconds()), well(t, "ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET")
}
