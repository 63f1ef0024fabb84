package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"

	log "github.com/hashicorp/go-hclog"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	"github.com/hashicorp/vault/helper/namespace"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

type reg struct{}

func (reg) Contains(n string, t consts.PluginType) bool { _, ok := reg{}.Get(n, t); return ok }
func (reg) Get(n string, t consts.PluginType) (func() (interface{}, error), bool) {
	if t == consts.PluginTypeSecrets && n == "kv" {
		return func() (interface{}, error) { return logical.Factory(kv.Factory), nil }, true
	}
	if t == consts.PluginTypeCredential && n == "approle" {
		return func() (interface{}, error) { return logical.Factory(approle.Factory), nil }, true
	}
	return nil, false
}
func (reg) Keys(t consts.PluginType) []string {
	switch t {
	case consts.PluginTypeSecrets:
		return []string{"kv"}
	case consts.PluginTypeCredential:
		return []string{"approle"}
	}
	return nil
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	addr := flag.String("listen", "127.0.0.1:0", "")
	flag.Parse()
	logger := log.New(&log.LoggerOptions{Level: log.Warn, Output: os.Stderr})
	phys, err := inmem.NewInmem(nil, logger)
	must(err)
	ln, err := net.Listen("tcp", *addr)
	must(err)
	url := "http://" + ln.Addr().String()
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:           phys,
		LogicalBackends:    map[string]logical.Factory{"kv": kv.Factory},
		CredentialBackends: map[string]logical.Factory{"approle": approle.Factory},
		BuiltinRegistry:    reg{},
		DisableMlock:       true,
		RedirectAddr:       url,
		Logger:             logger,
	})
	must(err)
	ctx := namespace.RootContext(context.Background())
	init, err := core.Initialize(ctx, &vault.InitParams{
		BarrierConfig:  &vault.SealConfig{SecretShares: 1, SecretThreshold: 1},
		RecoveryConfig: &vault.SealConfig{},
	})
	must(err)
	key := init.SecretShares[0]
	_, err = core.Unseal(append([]byte(nil), key...))
	must(err)
	h := vaulthttp.Handler(&vault.HandlerProperties{Core: core})
	go func() { must(http.Serve(ln, h)) }()
	fmt.Printf("{\"url\":%q,\"root_token\":%q,\"unseal_key\":\"%x\"}\n", url, init.RootToken, key)
	select {}
}
