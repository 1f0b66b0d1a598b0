package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/coffer-dev/coffer/internal/fault"
	"github.com/coffer-dev/coffer/internal/secret"
	"pgregory.net/rapid"
)

// maxSteps bounds one random history, so that stores with a disk finish in seconds.
const maxSteps = 12

func machineCases() []conformance {
	return []conformance{
		{"E01_random_histories_match_the_model", need{versions: true, metadata: true, list: true, cas: true}, randomHistories},
		{"E20_random_histories_without_versions", need{plain: true, list: true}, plainHistories},
	}
}

// randomHistories runs random operations on the store and on Memory, which is
// nothing but the pure rules, and wants the same answers from both.
func randomHistories(e *env) {
	var round atomic.Int64
	rapid.Check(e.t, func(rt *rapid.T) {
		m := newMachine(e, fmt.Sprintf("round%d", round.Add(1)))
		for range rapid.IntRange(1, maxSteps).Draw(rt, "steps") {
			op := m.draw(rt)
			if got, want := op.on(m, e.Store), op.on(m, m.model); got != want {
				rt.Fatalf("%s answers %s, the model %s", op.name, got, want)
			}
			m.compare(rt)
		}
	})
}

// machine is one history: the store, the model and a clock that both follow.
type machine struct {
	*env
	model *Memory
	root  string
	now   time.Time
	text  int
}

// step is one operation; on answers in a text that store and model share.
type step struct {
	name string
	on   func(*machine, secret.Store) string
}

func newMachine(e *env, root string) *machine {
	m := &machine{env: e, root: root, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	m.model = NewMemory(func() time.Time { return m.now })
	return m
}

// paths of a history: a key, a key below it, and one whose name begins alike.
func (m *machine) paths() []string { return []string{m.root + "/x", m.root + "/x/y", m.root + "/xy"} }

func (m *machine) draw(rt *rapid.T) step {
	ref := m.ref(rapid.SampledFrom(m.paths()).Draw(rt, "path"))
	verb := rapid.SampledFrom([]string{
		"put", "put", "put", "cas", "delete", "delete versions", "undelete", "destroy", "destroy all", "metadata", "wait",
	}).Draw(rt, "verb")
	list := rapid.SliceOfN(rapid.Int64Range(1, 5), 1, 3)
	switch verb {
	case "put":
		return m.putStep(ref, nil)
	case "cas":
		cas := rapid.Int64Range(0, 3).Draw(rt, "cas")
		return m.putStep(ref, &cas)
	case "metadata":
		return m.metaStep(rt, ref)
	case "wait":
		return m.waitStep()
	case "delete":
		return numbered(verb, nil, ref)
	}
	return numbered(verb, list.Draw(rt, "versions"), ref)
}

func (m *machine) putStep(ref secret.Ref, cas *int64) step {
	m.text++
	value := secret.Stored(fmt.Appendf(nil, `{"text":"%d"}`, m.text))
	return step{"put", func(m *machine, s secret.Store) string {
		v, err := s.Put(m.ctx, ref, value, cas)
		return answer(err, "version", v.Version)
	}}
}

// metaStep changes settings; expiry only where the clock can be moved past it.
func (m *machine) metaStep(rt *rapid.T, ref secret.Ref) step {
	var c secret.MetaChange
	kinds := []string{"max_versions", "cas_required", "merge", "replace"}
	if m.Advance != nil {
		kinds = append(kinds, "delete_version_after")
	}
	kind := rapid.SampledFrom(kinds).Draw(rt, "setting")
	switch kind {
	case "max_versions":
		c.MaxVersions = ptr(rapid.Int64Range(0, 3).Draw(rt, "max"))
	case "cas_required":
		c.CASRequired = ptr(rapid.Bool().Draw(rt, "required"))
	case "merge":
		c.Merge = map[string]*string{"a": nil, "b": ptr(strconv.Itoa(m.text))}
		c.MustExist = rapid.Bool().Draw(rt, "must exist")
	case "replace":
		c.Replace = map[string]string{"a": strconv.Itoa(m.text)}
	default:
		c.DeleteVersionAfter = ptr(time.Duration(rapid.IntRange(0, 2).Draw(rt, "hours")) * time.Hour)
	}
	return step{"metadata " + kind, func(m *machine, s secret.Store) string {
		_, err := s.SetMeta(m.ctx, ref, c)
		return answer(err, "changed", 0)
	}}
}

// waitStep moves both clocks by an hour and a half; the wall clock is left alone.
func (m *machine) waitStep() step {
	return step{"wait", func(m *machine, s secret.Store) string {
		const d = 90 * time.Minute
		switch {
		case m.Advance == nil:
		case s == secret.Store(m.model):
			m.now = m.now.Add(d)
		default:
			m.Advance(d)
		}
		return answer(nil, "waited", 0)
	}}
}

// numbered is a verb that takes version numbers. Outside back ends may be unable
// to tell which they ignored, so only the effect is compared.
func numbered(verb string, versions []int64, ref secret.Ref) step {
	return step{verb, func(m *machine, s secret.Store) string {
		var err error
		switch verb {
		case "undelete":
			_, err = s.Undelete(m.ctx, ref, versions)
		case "destroy":
			_, err = s.Destroy(m.ctx, ref, secret.Selection{Versions: versions})
		case "destroy all":
			_, err = s.Destroy(m.ctx, ref, secret.Selection{All: true})
		default:
			err = s.Delete(m.ctx, ref, versions)
		}
		return answer(err, "done", 0)
	}}
}

func answer(err error, word string, n int64) string {
	if err != nil {
		return fault.KindOf(err).Error()
	}
	return word + " " + strconv.FormatInt(n, 10)
}

// compare reads everything that both show of the history.
func (m *machine) compare(rt *rapid.T) {
	for _, path := range m.paths() {
		if got, want := m.view(m.Store, path), m.view(m.model, path); got != want {
			rt.Fatalf("%s shows\n%s\nthe model\n%s", path, got, want)
		}
	}
	for _, opts := range []secret.ListOptions{{}, {Recursive: true}, {After: "x", Limit: 1}} {
		got, err := m.Store.List(m.ctx, m.ref(m.root), opts)
		want, _ := m.model.List(m.ctx, m.ref(m.root), opts)
		if err != nil || !slices.Equal(got, want) {
			rt.Fatalf("list gives %q (%v), the model %q", got, err, want)
		}
	}
}

// view renders a key: metadata without times, and what each version answers.
func (m *machine) view(s secret.Store, path string) string {
	meta, err := s.Meta(m.ctx, m.ref(path))
	if err != nil {
		return "metadata: " + fault.KindOf(err).Error()
	}
	out := fmt.Sprintf("current %d oldest %d max %d cas %t custom %v\n",
		meta.Current, meta.Oldest, meta.MaxVersions, meta.CASRequired, meta.Custom)
	for _, v := range meta.Versions {
		out += fmt.Sprintf("%d deletion time %t destroyed %t\n", v.Version, !v.Deleted.IsZero(), v.Destroyed)
	}
	for n := range meta.Current + 2 {
		out += fmt.Sprintf("get %d: %s\n", n, readable(m.ctx, s, m.ref(path), n))
	}
	return out
}

func readable(ctx context.Context, s secret.Store, ref secret.Ref, version int64) string {
	got, err := s.Get(ctx, ref, version)
	if err == nil {
		return fmt.Sprintf("version %d %s", got.Version.Version, got.Value.Reveal())
	}
	var v *secret.VersionError
	if errors.As(err, &v) {
		return fmt.Sprintf("%v version %d", fault.KindOf(err), v.Info.Version)
	}
	return fault.KindOf(err).Error()
}
