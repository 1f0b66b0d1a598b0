// Package config owns the one configuration struct of Coffer: its settings with
// their names, defaults and sentences of documentation (the struct tags), how they
// are read (file, then environment, then command line), the checks that a start
// depends on, and the reference that is generated from the same tags.
//
// It opens no store, no socket and no key: it says what is configured, and the
// composition builds it. Its errors name settings and never repeat their values.
package config
