%%% SPDX-License-Identifier: MIT
%%%
%%% Options of single subscriptions. The plugins flat and pep do not offer them, so that there are none to keep.
-module(pubsub_subscription_cloud).

-export([init/3, subscribe_node/3, unsubscribe_node/3, get_subscription/3, set_subscription/4]).
-export([get_options_xform/2, parse_options_xform/1, make_subid/0]).

init(_Host, _ServerHost, _Options) -> ok.
subscribe_node(_JID, _Node, _Options) -> {result, make_subid()}.
unsubscribe_node(_JID, _Node, _SubId) -> {result, []}.
get_subscription(_JID, _Node, _SubId) -> {error, notfound}.
set_subscription(_JID, _Node, _SubId, _Options) -> {error, notfound}.
get_options_xform(Language, Options) -> pubsub_subscription:get_options_xform(Language, Options).
parse_options_xform(Form) -> pubsub_subscription:parse_options_xform(Form).
make_subid() -> pubsub_subscription:make_subid().
