// Posts and reactions on PocketBase: collections with its own API, and two routes where that API has none.
package main

import (
	"database/sql"
	"errors"
	"log"
	"net/http"
	"os"
	"strconv"

	"github.com/pocketbase/dbx"
	"github.com/pocketbase/pocketbase"
	"github.com/pocketbase/pocketbase/apis"
	"github.com/pocketbase/pocketbase/core"
	"github.com/pocketbase/pocketbase/tools/types"
)

func main() {
	app := pocketbase.NewWithConfig(pocketbase.Config{HideStartBanner: true, DBConnect: connect})
	app.OnServe().BindFunc(func(e *core.ServeEvent) error {
		if err := configure(e.App); err != nil {
			return err
		}
		e.Router.GET("/api/me", whoAmI).Bind(apis.RequireAuth("users"))
		e.Router.PUT("/api/posts/{id}/reaction", react).Bind(apis.RequireAuth("users"))
		return e.Next()
	})
	if err := app.Start(); err != nil {
		log.Fatal(err)
	}
}

// PocketBase's own settings with one difference: synchronous(FULL) syncs every commit, synchronous(NORMAL) none.
func connect(path string) (*dbx.DB, error) {
	return dbx.Open("sqlite", path+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)"+
		"&_pragma=journal_size_limit(200000000)&_pragma=synchronous(FULL)&_pragma=foreign_keys(ON)"+
		"&_pragma=temp_store(MEMORY)&_pragma=cache_size(-32000)")
}

func configure(app core.App) error {
	cost, err := strconv.Atoi(os.Getenv("BCRYPT_COST"))
	if err != nil {
		return err
	}
	// No other server of the benchmark logs requests.
	app.Settings().Logs.MaxDays = 0
	if err := app.Save(app.Settings()); err != nil {
		return err
	}
	users, err := app.FindCollectionByNameOrId("users")
	if err != nil {
		return err
	}
	users.Fields.GetByName("password").(*core.PasswordField).Cost = cost
	users.ViewRule = types.Pointer("")
	if err := app.Save(users); err != nil {
		return err
	}

	posts := core.NewBaseCollection("posts")
	posts.ListRule = types.Pointer("")
	posts.ViewRule = types.Pointer("")
	posts.CreateRule = types.Pointer("author = @request.auth.id && @request.body.likes:isset = false && @request.body.dislikes:isset = false")
	posts.Fields.Add(
		&core.TextField{Name: "text", Required: true, Max: 500},
		&core.RelationField{Name: "author", CollectionId: users.Id, Required: true, MaxSelect: 1},
		&core.NumberField{Name: "likes", OnlyInt: true},
		&core.NumberField{Name: "dislikes", OnlyInt: true},
		&core.AutodateField{Name: "created", OnCreate: true},
	)
	posts.AddIndex("idx_posts_created", false, "created", "")
	if err := app.Save(posts); err != nil {
		return err
	}

	reactions := core.NewBaseCollection("reactions")
	reactions.Fields.Add(
		&core.RelationField{Name: "post", CollectionId: posts.Id, Required: true, MaxSelect: 1, CascadeDelete: true},
		&core.RelationField{Name: "account", CollectionId: users.Id, Required: true, MaxSelect: 1, CascadeDelete: true},
		&core.SelectField{Name: "value", Values: []string{"like", "dislike"}, Required: true, MaxSelect: 1},
	)
	reactions.AddIndex("idx_reactions_post_account", true, "post, account", "")
	return app.Save(reactions)
}

func whoAmI(e *core.RequestEvent) error {
	return e.JSON(http.StatusOK, e.Auth)
}

func react(e *core.RequestEvent) error {
	var body struct {
		Value string `json:"value"`
	}
	if err := e.BindBody(&body); err != nil {
		return e.BadRequestError("The body is not valid.", err)
	}
	var post *core.Record
	err := e.App.RunInTransaction(func(tx core.App) (err error) {
		post, err = tx.FindRecordById("posts", e.Request.PathValue("id"))
		if err != nil {
			return e.NotFoundError("There is no such post.", err)
		}
		reaction, err := tx.FindFirstRecordByFilter("reactions", "post = {:post} && account = {:account}",
			dbx.Params{"post": post.Id, "account": e.Auth.Id})
		if errors.Is(err, sql.ErrNoRows) {
			reaction, err = newReaction(tx, post.Id, e.Auth.Id)
		}
		if err != nil {
			return err
		}
		before := reaction.GetString("value")
		if before == body.Value {
			return nil
		}
		reaction.Set("value", body.Value)
		if err := tx.Save(reaction); err != nil {
			return err
		}
		if before != "" {
			post.Set(before+"s-", 1)
		}
		post.Set(body.Value+"s+", 1)
		return tx.Save(post)
	})
	if err != nil {
		return err
	}
	return e.JSON(http.StatusOK, map[string]any{
		"value":  body.Value,
		"counts": map[string]int{"likes": post.GetInt("likes"), "dislikes": post.GetInt("dislikes")},
	})
}

func newReaction(app core.App, post string, account string) (*core.Record, error) {
	collection, err := app.FindCachedCollectionByNameOrId("reactions")
	if err != nil {
		return nil, err
	}
	reaction := core.NewRecord(collection)
	reaction.Set("post", post)
	reaction.Set("account", account)
	return reaction, nil
}
