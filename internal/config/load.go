package config

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/coffer-dev/coffer/internal/fault"
)

// Mode is how Coffer runs; it decides defaults and checks.
type Mode string

// The modes.
const (
	Dev   Mode = "dev"   // everything embedded, loopback only
	Serve Mode = "serve" // production: refuses to start on a missing security setting
)

// Stages of a deployment.
const (
	EnvDev  = "dev"
	EnvTest = "test"
	EnvProd = "prod"
)

// maxFile bounds the configuration file, in bytes.
const maxFile = 1 << 20

// Options say what to load.
type Options struct {
	// File is the path of the YAML file; empty reads none.
	File string
	// Env reads a variable, as os.LookupEnv does. Nil reads none.
	Env func(name string) (string, bool)
	// Mode decides defaults and checks.
	Mode Mode
	// Flags are settings of the command line by path, such as data_dir. They come
	// over the environment, which comes over the file.
	Flags map[string]string
}

// Load reads the configuration and checks it. Everything that is wrong is reported
// at once: the error is Problems, whose kind is fault.Invalid. Values are never
// part of it.
func Load(o Options) (*Config, error) {
	if o.Mode != Dev && o.Mode != Serve {
		return nil, fault.New(fault.Invalid, "mode must be dev or serve")
	}
	if o.Env == nil {
		o.Env = func(string) (string, bool) { return "", false }
	}
	c := &Config{Mode: o.Mode}
	root := reflect.ValueOf(c).Elem()
	var problems Problems
	setDefaults(root, o.Mode)
	if o.File != "" {
		readFile(root, o, &problems)
	}
	readEnv(root, o, &problems)
	readFlags(root, o, &problems)
	c.derive()
	c.check(&problems)
	if len(problems) > 0 {
		return nil, problems
	}
	return c, nil
}

func readFile(root reflect.Value, o Options, problems *Problems) {
	data, err := readBounded(o.File)
	if err != nil {
		problems.add("", 0, "%s: %s", o.File, err)
		return
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return
	case err != nil:
		problems.add("", lineOf(err), "the file is not valid YAML; check the indentation and put quotes around texts with special characters")
		return
	}
	if err := dec.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		problems.add("", 0, "the file must hold one YAML document")
		return
	}
	decoder{mode: o.Mode, env: o.Env, problems: problems}.section(root, "", doc.Content[0])
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("no such file")
	}
	if err != nil {
		return nil, errors.New("the file cannot be opened; check that Coffer may read it")
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, errors.New("the file cannot be read")
	case len(data) > maxFile:
		return nil, errors.New("the file is larger than 1 MiB")
	}
	return data, nil
}

// lineOf takes the line out of a YAML error. Its text is not used, because it may
// repeat the file.
func lineOf(err error) int {
	_, rest, ok := strings.Cut(err.Error(), "line ")
	if !ok {
		return 0
	}
	digits, _, _ := strings.Cut(rest, ":")
	line, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return line
}

func readEnv(root reflect.Value, o Options, problems *Problems) {
	walk(root, func(f field) {
		first := ""
		for _, name := range f.env {
			text, ok := o.Env(name)
			if !ok {
				continue
			}
			if first != "" {
				problems.add(f.path, 0, "%s and %s are both set; unset one", first, name)
				continue
			}
			first = name
			if err := assign(f, text, o.Mode); err != nil {
				problems.add(f.path, 0, "%s %s", name, err)
			}
		}
	})
}

func readFlags(root reflect.Value, o Options, problems *Problems) {
	left := make(map[string]bool, len(o.Flags))
	for path := range o.Flags {
		left[path] = true
	}
	walk(root, func(f field) {
		text, ok := o.Flags[f.path]
		if !ok || shapeOf(f.value.Type()) != leaf {
			return
		}
		delete(left, f.path)
		if err := assign(f, text, o.Mode); err != nil {
			problems.add(f.path, 0, "%s", err)
		}
	})
	for _, path := range sortedKeys(left) {
		problems.add(path, 0, "is no setting that a flag can give")
	}
}

// assign puts a text into a setting and holds it against its bounds.
func assign(f field, text string, mode Mode) error {
	if err := setText(f.value, text); err != nil {
		return err
	}
	return inBounds(f.value, f.tag, mode)
}

// derive fills what follows from other settings.
func (c *Config) derive() {
	if c.YAMLVault.Path == "" && !c.Production() {
		c.YAMLVault.Path = "./dev_secrets.yaml"
	}
	if c.Mode != Dev {
		return
	}
	if c.ExternalURL == "" {
		c.ExternalURL = "http://" + c.Listen
	}
	if len(c.Kafka.Brokers) > 0 {
		c.Kafka.DevListen = "off"
	}
	if c.Audit.File == "" {
		c.Audit.File = filepath.Join(c.DataDir, "audit.jsonl")
	}
	if c.KEK.Active.IsZero() {
		c.KEK.Active.File = filepath.Join(c.DataDir, "kek")
	}
	b := &c.Policy.Bootstrap
	if !slices.ContainsFunc(b.Policies, func(p NamedPolicy) bool { return p.Name == devName }) {
		b.Policies = append(b.Policies, NamedPolicy{Name: devName, HCL: devPolicy})
	}
	if !slices.ContainsFunc(b.Groups, func(g Group) bool { return g.Name == devName }) {
		b.Groups = append(b.Groups, Group{Name: devName, Alias: devName, Policies: []string{devName}})
	}
}

// What coffer dev starts with: one group that may do everything on mount secret.
const (
	devName   = "dev"
	devPolicy = `path "secret/*" { capabilities = ["create", "read", "update", "patch", "delete", "list", "scan", "sudo"] }`
)

// Production says whether this deployment is neither dev nor test.
func (c *Config) Production() bool { return c.Environment != EnvDev && c.Environment != EnvTest }
