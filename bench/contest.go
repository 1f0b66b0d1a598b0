package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The contestants, as the table names them.
const (
	nameBare  = "bare net/http"
	nameOurs  = "Coffer"
	nameEtcd  = "bare etcd, 3 keys"
	nameBao   = "OpenBao"
	nameTuned = "OpenBao tuned"
)

// The work.
const (
	reads  = "read"
	writes = "write"
)

// connections are the loads of the table.
func connections() []int { return []int{1, 16, 64} }

// entrant is one contestant doing one kind of work.
type entrant struct {
	name, work string
	measure    func(context.Context, load) (sample, error)
}

// cell is one place of the table.
type cell struct {
	name, work string
	workers    int
}

// results hold the rounds of every cell until they are merged.
type results map[cell][]sample

func (r results) of(name, work string, workers int) (sample, bool) {
	rounds := r[cell{name, work, workers}]
	return median(rounds), len(rounds) > 0
}

// ring is everything that runs, and what was learnt of it.
type ring struct {
	settings settings
	dir      string
	issuer   *issuer
	coffer   *coffer
	bao      *bao // nil: not on PATH
	entrants []entrant
	stops    []func()
	results  results
}

func (r *ring) close() {
	for i := len(r.stops) - 1; i >= 0; i-- {
		r.stops[i]()
	}
}

// openOurs starts Coffer and fills it.
func (r *ring) openOurs(ctx context.Context) (err error) {
	if r.issuer, err = newIssuer(ctx, r.dir); err != nil {
		return err
	}
	r.stops = append(r.stops, func() { _ = r.issuer.http.Close() })
	if r.coffer, err = startCoffer(ctx, r.dir+"/coffer", r.settings.binary, r.issuer); err != nil {
		return err
	}
	r.stops = append(r.stops, r.coffer.stop)
	seed, err1 := r.coffer.put("r")
	read, err2 := r.coffer.read()
	put, err3 := r.coffer.put("w")
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	if err := fill(ctx, r.coffer.address, seed, 0, r.settings.secrets); err != nil {
		return fmt.Errorf("fill coffer: %w", err)
	}
	r.enter(nameOurs, r.coffer.process, r.coffer.address, read, put)
	return nil
}

// open starts every contestant and fills it.
func (r *ring) open(ctx context.Context) error {
	if err := r.openOurs(ctx); err != nil {
		return err
	}
	read, err1 := r.coffer.read()
	put, err2 := r.coffer.put("w")
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	bare, address, err := startBare(ctx, r.dir, r.coffer, read, put)
	if bare != nil {
		r.stops = append(r.stops, bare.stop)
	}
	if err != nil {
		return err
	}
	member, err := startEtcd(r.dir + "/etcd")
	if err != nil {
		return err
	}
	r.stops = append(r.stops, member.stop)
	r.enter(nameBare, bare, address, read, put)
	r.entrants = append(r.entrants, entrant{nameEtcd, writes, func(_ context.Context, l load) (sample, error) { return member.measure(l) }})
	return r.openBao(ctx)
}

func (r *ring) openBao(ctx context.Context) (err error) {
	if r.bao, err = startBao(ctx, r.dir+"/bao"); err != nil || r.bao == nil {
		return err
	}
	r.stops = append(r.stops, r.bao.stop)
	if err := r.bao.fill(ctx, r.settings.secrets); err != nil {
		return fmt.Errorf("fill OpenBao: %w", err)
	}
	for name, token := range map[string]string{nameBao: r.bao.usual, nameTuned: r.bao.tuned} {
		read, err1 := r.bao.read(token)
		put, err2 := r.bao.put(token, "w")
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		r.enter(name, r.bao.process, r.bao.address, read, put)
	}
	return nil
}

func (r *ring) enter(name string, p *process, address string, read, put template) {
	add := func(work string, open func(context.Context, int) (worker, error)) {
		r.entrants = append(r.entrants, entrant{name, work, func(ctx context.Context, l load) (sample, error) {
			before, err1 := processor(p.cmd.Process.Pid)
			s, err := measure(ctx, l, open)
			after, err2 := processor(p.cmd.Process.Pid)
			s.CPU = (after - before) / time.Duration(max(1, s.Done))
			return s, errors.Join(err, err1, err2)
		}})
	}
	add(reads, reader(address, read, r.settings.secrets))
	add(writes, writer(address, put))
}

// fight runs all cells, the contestants in turn.
func (r *ring) fight(ctx context.Context, progress func(string)) error {
	for round := range r.settings.rounds {
		for _, work := range []string{reads, writes} {
			for _, n := range connections() {
				progress(fmt.Sprintf("round %d of %d: %ss at %d", round+1, r.settings.rounds, work, n))
				for _, e := range r.entrants {
					if e.work != work {
						continue
					}
					s, err := e.measure(ctx, r.load(n))
					if err != nil {
						return fmt.Errorf("%s, %s at %d connections: %w", e.name, work, n, err)
					}
					r.add(e.name, work, n, s)
				}
			}
		}
	}
	return nil
}

func (r *ring) add(name, work string, n int, s sample) {
	c := cell{name, work, n}
	r.results[c] = append(r.results[c], s)
}

func (r *ring) load(workers int) load {
	return load{Workers: workers, Warm: min(r.settings.span/4, 500*time.Millisecond), Span: r.settings.span}
}

// growth reads from few and from many secrets in turn, at most connections.
func (r *ring) growth(ctx context.Context) (few, many sample, err error) {
	seed, err1 := r.coffer.put("r")
	read, err2 := r.coffer.read()
	if err := errors.Join(err1, err2); err != nil {
		return few, many, err
	}
	if err := fill(ctx, r.coffer.address, seed, r.settings.secrets, r.settings.many); err != nil {
		return few, many, fmt.Errorf("fill coffer: %w", err)
	}
	var rounds [2][]sample
	for range r.settings.rounds {
		for i, secrets := range []int{r.settings.secrets, r.settings.many} {
			s, err := measure(ctx, r.load(64), reader(r.coffer.address, read, secrets))
			if err != nil {
				return few, many, fmt.Errorf("read of %d secrets: %w", secrets, err)
			}
			rounds[i] = append(rounds[i], s)
		}
	}
	return median(rounds[0]), median(rounds[1]), nil
}
