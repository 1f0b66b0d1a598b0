package client

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxLine bounds one line of a stream, in bytes: an event is about one thousand.
const maxLine = 1 << 20

// message is one message of an event stream. The id stays until another one comes.
type message struct {
	id, name string
	data     []byte
}

// readMessages reads an event stream (HTML Living Standard, 9.2) until it breaks or
// deliver fails. alive is called for every line, comments included. A message that
// the end cuts off is dropped.
func readMessages(r io.Reader, alive func(), deliver func(message) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	var m message
	for lines.Scan() {
		alive()
		line := strings.TrimSuffix(lines.Text(), "\r")
		if line != "" {
			m.field(line)
			continue
		}
		if m.data != nil {
			m.data = bytes.TrimSuffix(m.data, []byte("\n"))
			if err := deliver(m); err != nil {
				return err
			}
		}
		m.name, m.data = "", nil
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return errors.New("a line of the stream is too long")
	case err != nil:
		return &brokenError{fmt.Errorf("read the stream: %w", err)}
	}
	return &brokenError{errors.New("the stream ended")}
}

// field takes one line. A comment is a field without a name.
func (m *message) field(line string) {
	name, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	switch name {
	case "id":
		m.id = value
	case "event":
		m.name = value
	case "data":
		m.data = append(append(m.data, value...), '\n')
	}
}
