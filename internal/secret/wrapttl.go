package secret

import "context"

type wrapTTLKey struct{}

// WithWrapTTL asks a back end that can wrap answers to wrap the reads made under
// ctx and to unwrap them itself, so that the value crosses the wire once under a
// token of this life, in seconds. Other back ends ignore it; 0 or less asks nothing.
func WithWrapTTL(ctx context.Context, seconds int) context.Context {
	return context.WithValue(ctx, wrapTTLKey{}, seconds)
}

// WrapTTL is the life that WithWrapTTL asked for, in seconds; 0 when it asked nothing.
func WrapTTL(ctx context.Context) int {
	seconds, _ := ctx.Value(wrapTTLKey{}).(int)
	return max(seconds, 0)
}
