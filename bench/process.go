package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a contestant that runs. stop ends it.
type process struct {
	cmd  *exec.Cmd
	log  string // file with what it printed
	took time.Duration
	done chan struct{}
}

// start runs a program with its output in a file.
func start(dir, name string, command ...string) (*process, error) {
	p := &process{log: dir + "/" + name + ".log", done: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log of %s: %w", name, err)
	}
	p.cmd = exec.Command(command[0], command[1:]...) //nolint:gosec,noctx // the contestants are ours to choose; stop ends them
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := errors.Join(p.cmd.Start(), out.Close()); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // a killed process is no news
		close(p.done)
	}()
	return p, nil
}

// until waits for url to answer 200 and keeps how long that took since begun.
func (p *process) until(ctx context.Context, url string, begun time.Time) error {
	for {
		if ok(ctx, url) {
			p.took = time.Since(begun)
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.done:
			return fmt.Errorf("%s ended: %s", p.cmd.Path, tail(p.log))
		case <-time.After(2 * time.Millisecond):
		}
		if time.Since(begun) > 30*time.Second {
			return fmt.Errorf("%s did not get ready: %s", p.cmd.Path, tail(p.log))
		}
	}
}

func ok(ctx context.Context, url string) bool {
	status, _, err := call(ctx, http.MethodGet, url, "", nil)
	return err == nil && status == http.StatusOK
}

// call is one plain request for setting up; header is one "Name: value" or nothing.
func call(ctx context.Context, method, url, header string, body []byte) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if name, value, there := strings.Cut(header, ": "); there {
		r.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}

// tail is the end of a log, for an error.
func tail(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-500):])
}

// rss is the resident memory of a process in bytes.
func rss(pid int) (int64, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, fmt.Errorf("read memory: %w", err)
	}
	return parseRSS(string(b))
}

func parseRSS(status string) (int64, error) {
	_, rest, _ := strings.Cut(status, "VmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0, errors.New("the status of a process names no VmRSS")
	}
	kb, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read memory: %w", err)
	}
	return kb << 10, nil
}

// processor is the processor time that a process has used.
func processor(pid int) (time.Duration, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, fmt.Errorf("read processor time: %w", err)
	}
	return parseProcessor(string(b))
}

// tick is the unit of processor time in /proc: USER_HZ is 100 on every Linux.
const tick = 10 * time.Millisecond

// parseProcessor takes utime and stime, the 14th and 15th field. The second field is
// a name in parentheses, which may hold anything.
func parseProcessor(stat string) (time.Duration, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, errors.New("the state of a process names no processor time")
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, errors.Join(err1, err2)
}

// stop asks, waits, and kills at last. A tracer ends with the process that it traces.
func (p *process) stop() {
	pid := p.cmd.Process.Pid
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)); err == nil {
		if child, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			pid = child
		}
	}
	_ = syscall.Kill(pid, syscall.SIGTERM) // it may be gone already
	select {
	case <-p.done:
	case <-time.After(15 * time.Second):
		_ = syscall.Kill(pid, syscall.SIGKILL)
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// freeAddress is a loopback address that nobody listens on right now.
func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free address: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
