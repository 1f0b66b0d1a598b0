package etcdnode

import (
	"context"
	"log/slog"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// zapTo forwards etcd's warnings and errors to log; its chatter is dropped.
func zapTo(log *slog.Logger) *zap.Logger {
	if log == nil {
		return zap.NewNop()
	}
	return zap.New(&core{log: log.With("from", "etcd")})
}

type core struct {
	log    *slog.Logger
	fields []zapcore.Field
}

// Enabled lets warnings pass and what is worse.
func (c *core) Enabled(l zapcore.Level) bool { return l >= zapcore.WarnLevel }

// With keeps fields for later entries.
func (c *core) With(fields []zapcore.Field) zapcore.Core {
	return &core{log: c.log, fields: append(c.fields[:len(c.fields):len(c.fields)], fields...)}
}

// Check registers the core for entries it lets pass.
func (c *core) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

// Write hands one entry to slog. Requests and responses are left out: they hold keys.
func (c *core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range append(c.fields[:len(c.fields):len(c.fields)], fields...) {
		if f.Key == "request" || f.Key == "response" || f.Key == "prefix" {
			continue
		}
		f.AddTo(enc)
	}
	attrs := make([]any, 0, 2*len(enc.Fields))
	for k, v := range enc.Fields {
		attrs = append(attrs, slog.Any(k, v))
	}
	level := slog.LevelWarn
	if e.Level >= zapcore.ErrorLevel {
		level = slog.LevelError
	}
	if everyStart(e.Message) {
		level = slog.LevelDebug
	}
	c.log.Log(context.Background(), level, e.Message, attrs...)
	return nil
}

// Sync has nothing to flush.
func (c *core) Sync() error { return nil }

// everyStart says whether a lone member writes this whenever it starts, whatever its
// state: nobody can act on it.
func everyStart(message string) bool {
	switch message {
	case "Running http and grpc server on single port. This is not recommended for production.", // it has neither
		"simple token is not cryptographically signed",                        // it has no tokens
		"quota exceeds the maximum value",                                     // by the reserve for what frees room
		"Failed to detect schema version", "failed to update storage version": // the database is new
		return true
	}
	return false
}
