%%% SPDX-License-Identifier: MIT
%%%
%%% A person's own nodes, `plugins: [pep]' with `db_type: cloud', by the rules of node_pep. What is not here mod_pubsub looks
%%% for in node_flat_cloud.
-module(node_pep_cloud).

-export([depends/3, init/3, terminate/2, options/0, features/0, create_node_permission/6, unsubscribe_node/4]).
-export([get_entity_affiliations/2, get_entity_subscriptions/2]).

-define(RUN(Call), cloud_pubsub:run(fun() -> node_pep:Call end)).

depends(_Host, _ServerHost, _Options) -> [{mod_caps, hard}].
init(_Host, _ServerHost, _Options) -> cloud:start().
terminate(_Host, _ServerHost) -> ok.
options() -> node_pep:options().
features() -> node_pep:features().
create_node_permission(Host, ServerHost, Node, Parent, Owner, Access) ->
    node_pep:create_node_permission(Host, ServerHost, Node, Parent, Owner, Access).
unsubscribe_node(Node, Sender, Subscriber, SubId) -> ?RUN(unsubscribe_node(Node, Sender, Subscriber, SubId)).
get_entity_affiliations(Host, Owner) -> ?RUN(get_entity_affiliations(Host, Owner)).
get_entity_subscriptions(Host, Owner) -> ?RUN(get_entity_subscriptions(Host, Owner)).
