// Package acl owns path policies as Vault and OpenBao know them: reading their
// HCL or JSON text, uniting several into one immutable ACL, and saying which
// capabilities that ACL gives on a path. It also owns the table that turns a
// purpose into the capability it needs on a Vault API path.
//
// Everything here is a pure function of its arguments. The package keeps no policy,
// knows no group and no caller: who holds which policies is the matter of the use
// case that administers them.
package acl
