package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/coffer-dev/coffer/internal/ledger/etcdnode"
)

// etcdRole makes this program a bare etcd with its load generator inside; its
// argument is the data directory. It reads loads from its standard input, one JSON
// object a line, and answers each with a sample.
const etcdRole = "bare-etcd"

// Sizes of what a write of Coffer puts, in bytes: value, metadata, event.
const (
	valueSize    = 200
	metadataSize = 300
	eventSize    = 500
)

func serveEtcd(ctx context.Context, dir string) error {
	member, err := etcdnode.Open(ctx, etcdnode.Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	return errors.Join(answerLoads(ctx, member, os.Stdin, os.Stdout), member.Close())
}

func answerLoads(ctx context.Context, member *etcdnode.Node, in io.Reader, out io.Writer) error {
	lines, encoder := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var l load
		if err := lines.Decode(&l); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read load: %w", err)
		}
		s, err := measure(ctx, l, committer(member))
		if err != nil {
			return err
		}
		if err := encoder.Encode(s); err != nil {
			return fmt.Errorf("tell sample: %w", err)
		}
	}
}

// committer opens workers that commit what a write of Coffer commits.
func committer(member *etcdnode.Node) func(context.Context, int) (worker, error) {
	sized := func(n int) string { return strings.Repeat("x", n) }
	v, m, e := sized(valueSize), sized(metadataSize), sized(eventSize)
	return func(ctx context.Context, n int) (worker, error) {
		i := 0
		return worker{func() error {
			i++
			path := strconv.Itoa(n*perWriter + i%perWriter)
			return member.PutBare(ctx,
				etcdnode.Pair{Key: "value/" + path + "/" + strconv.Itoa(i), Value: v},
				etcdnode.Pair{Key: "meta/" + path, Value: m},
				etcdnode.Pair{Key: "event/" + strconv.Itoa(n) + "/" + strconv.Itoa(i), Value: e})
		}, func() {}}, nil
	}
}

// etcd is a bare etcd in a process of its own.
type etcd struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startEtcd(dir string) (*etcd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	e := &etcd{cmd: exec.Command(self, etcdRole, dir)} //nolint:gosec,noctx // this program again; stop ends it
	e.cmd.Stderr, e.cmd.SysProcAttr = os.Stderr, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if e.in, err = e.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start etcd: %w", err)
	}
	out, err := e.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start etcd: %w", err)
	}
	e.out = bufio.NewReader(out)
	if err := e.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start etcd: %w", err)
	}
	return e, nil
}

// measure asks the other process to put itself under load.
func (e *etcd) measure(l load) (s sample, err error) {
	if err := json.NewEncoder(e.in).Encode(l); err != nil {
		return s, fmt.Errorf("ask etcd: %w", err)
	}
	line, err := e.out.ReadBytes('\n')
	if err != nil {
		return s, fmt.Errorf("hear from etcd: %w", err)
	}
	return s, json.Unmarshal(line, &s)
}

func (e *etcd) stop() {
	_ = e.in.Close() // it ends by itself then
	_ = e.cmd.Wait() // it has told its errors
}
