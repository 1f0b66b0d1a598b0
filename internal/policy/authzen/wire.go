package authzen

import (
	"context"
	"encoding/json"

	"github.com/coffer-dev/coffer/internal/policy"
)

// evaluation is one question as the Access Evaluation API reads it. These members
// are all that is sent; what is unknown is left out.
type evaluation struct {
	Subject  subject  `json:"subject"`
	Action   action   `json:"action"`
	Resource resource `json:"resource"`
	Context  inquiry  `json:"context"`
}

type subject struct {
	Type       string            `json:"type"`
	ID         string            `json:"id"`
	Properties subjectProperties `json:"properties"`
}

type subjectProperties struct {
	Tenant   string `json:"tenant_id,omitempty"`
	ClientID string `json:"client_id,omitempty"`
	Issuer   string `json:"issuer,omitempty"`
}

type action struct {
	Name policy.Purpose `json:"name"`
}

type resource struct {
	Type       string             `json:"type"`
	ID         string             `json:"id"`
	Properties resourceProperties `json:"properties"`
}

type resourceProperties struct {
	Tenant   string `json:"tenant_id,omitempty"`
	Backend  string `json:"backend,omitempty"`
	Provider string `json:"provider,omitempty"`
	Engine   string `json:"engine,omitempty"`
	Mount    string `json:"mount,omitempty"`
	Path     string `json:"path,omitempty"`
	Fragment string `json:"fragment,omitempty"`
	attributes
	Application string `json:"pdp_application"`
}

type attributes struct {
	Owner     string `json:"owner,omitempty"`
	CreatedBy string `json:"created_by,omitempty"`
	CreatedAt string `json:"created_at,omitempty"`
}

type inquiry struct {
	Tenant        string      `json:"tenant_id,omitempty"`
	Issuer        string      `json:"issuer,omitempty"`
	ClientID      string      `json:"client_id,omitempty"`
	Audience      []string    `json:"aud,omitempty"`
	TokenID       string      `json:"token_jti,omitempty"`
	CorrelationID string      `json:"correlation_id,omitempty"`
	WorkflowRunID string      `json:"workflow_run_id,omitempty"`
	NodeID        string      `json:"node_id,omitempty"`
	SystemID      string      `json:"system_id,omitempty"`
	Binding       string      `json:"cnf_binding,omitempty"`
	Attributes    *attributes `json:"resource_attributes,omitempty"`
	IncludeMeta   bool        `json:"cerbos.includeMeta,omitempty"`
}

// batch is several questions as the Access Evaluations API reads them. Each stands
// alone, so that no default of the batch can leak into an item.
type batch struct {
	Context     *inquiry          `json:"context,omitempty"` // of no item; see Config.CerbosOutputs
	Evaluations []json.RawMessage `json:"evaluations"`
	Options     batchOptions      `json:"options"`
}

type batchOptions struct {
	Semantic string `json:"evaluations_semantic"`
}

// question is one evaluation, rendered, with what its answer is matched by.
type question struct {
	body     json.RawMessage
	resource string // canonical URI
	action   string
	outputs  bool // a permit must come with Cerbos' rule outputs
}

// inquire renders the question of r. Attributes that cannot be read are left out.
func (d *Decider) inquire(ctx context.Context, r policy.Request) (question, error) {
	p, u := r.Principal, r.URI
	known := readAttributes(ctx, r)
	e := evaluation{
		Subject: subject{
			Type: "account", ID: p.Subject,
			Properties: subjectProperties{Tenant: p.Tenant, ClientID: p.ClientID, Issuer: p.Issuer},
		},
		Action: action{Name: r.Purpose},
		Resource: resource{
			Type: "secret", ID: u.String(),
			Properties: resourceProperties{
				Tenant: p.Tenant, Backend: r.Backend, Provider: u.Provider, Engine: u.Engine,
				Mount: u.Mount, Path: u.Path, Fragment: u.Fragment,
				attributes: known, Application: "crud-secrets",
			},
		},
		Context: inquiry{
			Tenant: p.Tenant, Issuer: p.Issuer, ClientID: p.ClientID, Audience: p.Audience,
			TokenID: p.TokenID, CorrelationID: r.CorrelationID, WorkflowRunID: r.Origin.WorkflowRunID,
			NodeID: r.Origin.NodeID, SystemID: r.Origin.SystemID, Binding: p.Binding.String(),
			IncludeMeta: d.cfg.CerbosOutputs,
		},
	}
	if known != (attributes{}) {
		e.Context.Attributes = &known
	}
	body, err := json.Marshal(e)
	q := question{body: body, resource: e.Resource.ID, action: string(r.Purpose), outputs: d.cfg.CerbosOutputs}
	return q, err
}

func readAttributes(ctx context.Context, r policy.Request) attributes {
	if r.Attributes == nil {
		return attributes{}
	}
	a, err := r.Attributes(ctx)
	if err != nil {
		return attributes{}
	}
	return attributes{Owner: a.Owner, CreatedBy: a.CreatedBy, CreatedAt: a.CreatedAt}
}
