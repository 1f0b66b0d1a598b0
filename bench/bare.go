package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

// bareRole makes this program the bare server; its argument is a file of answers.
const bareRole = "bare-server"

// answer is what the bare server says to a method.
type answer struct {
	Header http.Header
	Body   []byte
}

// answers has one for each method, and where to listen.
type answers struct {
	Address string
	Methods map[string]answer
}

// serveBare is the least that a server can do: read the request, send fixed bytes.
func serveBare(ctx context.Context, file string) error {
	text, err := os.ReadFile(file) //nolint:gosec // the program that started this one wrote it
	if err != nil {
		return fmt.Errorf("read answers: %w", err)
	}
	var a answers
	if err := json.Unmarshal(text, &a); err != nil {
		return fmt.Errorf("read answers: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.Address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	srv := &http.Server{Handler: a, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = srv.Close() // nothing is left to be done
	}()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// ServeHTTP answers by method alone.
func (a answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	said := a.Methods[r.Method]
	h := w.Header()
	for name, values := range said.Header {
		h[name] = values
	}
	h.Set("Content-Length", strconv.Itoa(len(said.Body)))
	_, _ = w.Write(said.Body) // the client is gone: nobody is left to tell
}

// record asks a server what it answers, for the bare one to say the same.
func record(ctx context.Context, address string, t template) (answer, error) {
	c, err := dial(ctx, address)
	if err != nil {
		return answer{}, err
	}
	defer c.close()
	if _, err := c.conn.Write(t.number(0)); err != nil {
		return answer{}, fmt.Errorf("send: %w", err)
	}
	res, err := http.ReadResponse(c.buf, nil)
	if err != nil {
		return answer{}, fmt.Errorf("read answer: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, fmt.Errorf("read answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return answer{}, fmt.Errorf("the answer is %d: %s", res.StatusCode, body)
	}
	res.Header.Del("Date")
	return answer{res.Header, bytes.Clone(body)}, nil
}

// startBare runs the bare server with what Coffer answers to both requests.
func startBare(ctx context.Context, dir string, c *coffer, read, write template) (*process, string, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, "", err
	}
	a := answers{Address: address, Methods: map[string]answer{}}
	if a.Methods[http.MethodPost], err = record(ctx, c.address, write); err != nil {
		return nil, "", err
	}
	if a.Methods[http.MethodGet], err = record(ctx, c.address, read); err != nil {
		return nil, "", err
	}
	text, err := json.Marshal(a)
	if err != nil {
		return nil, "", fmt.Errorf("encode answers: %w", err)
	}
	file := dir + "/answers.json"
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, "", fmt.Errorf("write answers: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, "", fmt.Errorf("find this program: %w", err)
	}
	begun := time.Now()
	p, err := start(dir, "bare", self, bareRole, file)
	if err != nil {
		return nil, "", err
	}
	return p, address, p.until(ctx, "http://"+address+"/", begun)
}
