%%% SPDX-License-Identifier: MIT
%%%
%%% Privacy lists: `mod_privacy' with `db_type: cloud'. Blocking (mod_blocking) is kept in them, too.
-module(mod_privacy_cloud).
-behaviour(mod_privacy).

-export([init/2, import/1, set_default/3, unset_default/2, set_lists/1, set_list/4, remove_list/3, remove_lists/2]).
-export([get_list/3, get_lists/2]).

-include("mod_privacy.hrl").

init(_Host, _Options) -> cloud:start().
import(_Privacy) -> ok.

set_default(User, Server, Name) -> cloud:done({privacy_set_default, cloud:bare(User, Server), Name}).
unset_default(User, Server) -> cloud:done({privacy_set_default, cloud:bare(User, Server), none}).

set_list(User, Server, Name, Items) ->
    cloud:done({privacy_set_list, cloud:bare(User, Server), pack({Name, Items})}).

set_lists(#privacy{us = {User, Server}, default = Default, lists = Lists}) ->
    cloud:done({privacy_set, cloud:bare(User, Server), Default, [pack(List) || List <- Lists]}).

remove_list(User, Server, Name) -> cloud:done({privacy_remove_list, cloud:bare(User, Server), Name}).
remove_lists(User, Server) -> cloud:done({privacy_del, cloud:bare(User, Server)}).

%% During an outage mod_privacy takes the error for no list, and lets stanzas pass; it is not kept by its cache.
get_list(User, Server, default) -> list(User, Server, none);
get_list(User, Server, Name) -> list(User, Server, Name).

list(User, Server, Name) ->
    case cloud:call({privacy_list, cloud:bare(User, Server), Name}) of
        {ok, none} -> error;
        {ok, List} -> {ok, unpack(List)};
        {error, _} = Error -> Error
    end.

get_lists(User, Server) ->
    case cloud:call({privacy_get, cloud:bare(User, Server)}) of
        {ok, none} -> error;
        {ok, {Default, Lists}} ->
            {ok, #privacy{us = {User, Server}, default = Default, lists = [unpack(List) || List <- Lists]}};
        {error, _} = Error -> Error
    end.

pack({Name, Items}) -> {Name, [pack_item(Item) || Item <- Items]}.

pack_item(#listitem{type = Type, value = Value, action = Action, order = Order, match_all = All, match_iq = IQ,
                    match_message = Message, match_presence_in = In, match_presence_out = Out}) ->
    Subject = case Type of
                  none -> none;
                  jid -> {jid, jid:encode(Value)};
                  group -> {group, Value};
                  subscription -> {subscription, atom_to_binary(Value)}
              end,
    {Order, Action, Subject, All, IQ, Message, In, Out}.

unpack({Name, Items}) -> {Name, [unpack_item(Item) || Item <- Items]}.

unpack_item({Order, Action, Subject, All, IQ, Message, In, Out}) ->
    {Type, Value} = case Subject of
                        none -> {none, none};
                        {jid, JID} -> {jid, jid:tolower(jid:decode(JID))};
                        {group, Group} -> {group, Group};
                        {subscription, Subscription} -> {subscription, binary_to_existing_atom(Subscription)}
                    end,
    #listitem{type = Type, value = Value, action = Action, order = Order, match_all = All, match_iq = IQ,
              match_message = Message, match_presence_in = In, match_presence_out = Out}.
