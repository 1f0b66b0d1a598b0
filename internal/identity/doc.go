// Package identity says who calls: a Principal, made by an Authenticator from
// Credentials that a door took from its wire. It owns no protocol; its rooms do:
// oidc (issuers and their keys), devissuer (tokens of coffer dev), and later
// servicekey and basic. It decides nothing about what the caller may do.
package identity
