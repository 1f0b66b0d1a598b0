package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// digits is the width of the number in a template, so that no length ever changes.
const digits = 6

// slot stands in a template where the number goes.
const slot = "000000"

// template is one whole HTTP/1.1 request with a place for a number.
type template struct {
	raw []byte
	at  int
}

// newTemplate renders a request; slot must stand in its path or its body, once.
// header holds whole lines, each with its end.
func newTemplate(method, path, header, body string) (template, error) {
	text := method + " " + path + " HTTP/1.1\r\nHost: bench\r\n" + header
	if body != "" {
		text += "Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n"
	}
	at := len(method) + len(" ") + strings.Index(path, slot)
	if body != "" && !strings.Contains(path, slot) {
		at = len(text) + len("\r\n") + strings.Index(body, slot)
	}
	if strings.Count(path+body, slot) != 1 {
		return template{}, errors.New("a template needs one place for the number")
	}
	text += "\r\n" + body
	return template{raw: []byte(text), at: at}, nil
}

// clone lets each connection number its requests in place.
func (t template) clone() template { return template{bytes.Clone(t.raw), t.at} }

// number writes n into its place; n has at most six digits.
func (t template) number(n int) []byte {
	for i := t.at + digits - 1; i >= t.at; i-- {
		t.raw[i] = byte('0' + n%10)
		n /= 10
	}
	return t.raw
}

// head is what a client needs to know of an answer's header.
type head struct {
	status  int
	length  int // of the body; -1 where it comes in chunks
	size    int // of the header itself, its last empty line included
	closing bool
}

var (
	errNotHTTP = errors.New("the answer is not HTTP/1.1")
	errMore    = errors.New("the header is not complete")
)

// parseHead reads a header at the start of b. errMore asks for more bytes.
func parseHead(b []byte) (h head, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return h, errMore
	}
	h.size = end + len("\r\n\r\n")
	line, rest, _ := bytes.Cut(b[:end+2], []byte("\r\n"))
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return h, errNotHTTP
	}
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return h, errNotHTTP
		}
		h.status = h.status*10 + int(c-'0')
	}
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		if err := h.field(line); err != nil {
			return h, err
		}
	}
	return h, nil
}

// field reads one line; only lengths matter. Names are told apart by their length
// first, which is cheap and settles nearly all.
func (h *head) field(line []byte) error {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return errNotHTTP
	}
	name, value := line[:colon], bytes.TrimSpace(line[colon+1:])
	switch {
	case colon == len("content-length") && bytes.EqualFold(name, []byte("content-length")):
		n, err := strconv.Atoi(string(value))
		if err != nil || n < 0 {
			return errNotHTTP
		}
		h.length = n
	case colon == len("transfer-encoding") && bytes.EqualFold(name, []byte("transfer-encoding")):
		h.length = -1
	case colon == len("connection") && bytes.EqualFold(name, []byte("connection")):
		h.closing = bytes.EqualFold(value, []byte("close"))
	}
	return nil
}

// client is one keep-alive connection, for one goroutine.
type client struct {
	conn net.Conn
	buf  *bufio.Reader
}

// dial connects; the largest header must fit the buffer.
func dial(ctx context.Context, address string) (*client, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return newClient(conn), nil
}

func newClient(conn net.Conn) *client {
	return &client{conn: conn, buf: bufio.NewReaderSize(conn, 16<<10)}
}

// do sends a request and takes the answer; anything but 200 is an error.
func (c *client) do(request []byte) error {
	if _, err := c.conn.Write(request); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	h, err := c.head()
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if h.status != http.StatusOK {
		body, _ := c.buf.Peek(c.buf.Buffered())
		return fmt.Errorf("the answer is %d: %s", h.status, body)
	}
	if h.closing {
		return errors.New("the server does not keep connections alive")
	}
	if h.length < 0 {
		return c.skipChunks()
	}
	if _, err := c.buf.Discard(h.length); err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	return nil
}

// head reads until the header is complete.
func (c *client) head() (head, error) {
	for want := 1; ; want = c.buf.Buffered() + 1 {
		if _, err := c.buf.Peek(want); err != nil {
			return head{}, err
		}
		b, err := c.buf.Peek(c.buf.Buffered())
		if err != nil {
			return head{}, err
		}
		h, err := parseHead(b)
		if errors.Is(err, errMore) {
			continue
		}
		if err != nil {
			return head{}, err
		}
		_, err = c.buf.Discard(h.size)
		return h, err
	}
}

// skipChunks leaves chunked bodies to the standard library's rules in short: sizes
// in hexadecimal, a zero at the end, no trailers.
func (c *client) skipChunks() error {
	for {
		line, err := c.buf.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("read chunk: %w", err)
		}
		n, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 31)
		if err != nil {
			return fmt.Errorf("read chunk: %w", err)
		}
		if _, err := io.CopyN(io.Discard, c.buf, int64(n)+2); err != nil {
			return fmt.Errorf("read chunk: %w", err)
		}
		if n == 0 {
			return nil
		}
	}
}

func (c *client) close() { _ = c.conn.Close() }
