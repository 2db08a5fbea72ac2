%%% SPDX-License-Identifier: MIT
%%%
%%% Who may log in: `auth_method: cloud'. With `auth_password_format: scram' only SCRAM's keys are stored, and people log in
%%% by SCRAM or PLAIN. ejabberd's cache does not stand in front of it: a changed password has to count at once.
-module(ejabberd_auth_cloud).
-behaviour(ejabberd_auth).

-export([start/1, stop/1, reload/1, plain_password_required/1, store_type/1, use_cache/1]).
-export([set_password/3, try_register/3, get_password/2, remove_user/2, get_users/2, count_users/2]).

-include("scram.hrl").

start(_Host) -> cloud:start().
stop(_Host) -> ok.
reload(_Host) -> ok.
use_cache(_Host) -> false.
store_type(Host) -> ejabberd_auth:password_format(Host).
plain_password_required(Host) -> store_type(Host) == scram.

set_password(User, Server, Password) ->
    written(Password, cloud:call({auth_set, cloud:bare(User, Server), pack(Password)})).

%% One conditional write: of many who register a name at the same time, one wins.
try_register(User, Server, Password) ->
    written(Password, cloud:call({auth_new, cloud:bare(User, Server), pack(Password)})).

written(Password, {ok, _}) -> {nocache, {ok, Password}};
written(_, {error, exists}) -> {nocache, {error, exists}};
written(_, {error, _}) -> {nocache, {error, db_failure}}.

get_password(User, Server) ->
    case cloud:call({auth_get, cloud:bare(User, Server)}) of
        {ok, none} -> {nocache, error};
        {ok, Secret} -> {nocache, {ok, unpack(Secret)}};
        {error, Reason} -> outage(Reason)
    end.

%% ejabberd asks for a password at a login, and also to find out whether there is such a person at all, as for a message to
%% somebody who is away. At a login an outage must not look like a wrong password, which makes clients forget it: the exit
%% ends the stream, and the client comes back. For a message it must look like nobody, so that the sender is told; an exit
%% would lose the message in silence. Which of the two it is, only the stack of the caller tells.
outage(Reason) ->
    case cloud:is_within([{ejabberd_auth, db_user_exists, 3}, {ejabberd_auth, user_exists, 2}]) of
        true -> {nocache, error};
        %% No error: what a process that crashes has, and so a password, would stand in the log.
        false -> exit({shutdown, {cloud, Reason}})
    end.

%% ejabberd passes an error by, removes all else, and says that it is done: so this raises, and nothing is removed.
remove_user(User, Server) ->
    cloud:ask({auth_del, cloud:bare(User, Server)}),
    ok.

%% Options are `prefix', and `limit' with `offset', or `from' with `to'; offsets and `from' count from 1.
get_users(Server, Options) ->
    {Offset, Limit} =
        case {lists:keyfind(limit, 1, Options), lists:keyfind(from, 1, Options), lists:keyfind(to, 1, Options)} of
            {{_, Most}, _, _} -> {proplists:get_value(offset, Options, 1), Most};
            {_, {_, From}, {_, To}} -> {From, max(0, To - From + 1)};
            _ -> {1, none}
        end,
    Users = cloud:ask({auth_list, Server, prefix(Options), max(1, Offset) - 1, Limit}),
    [{User, Server} || User <- Users].

count_users(Server, Options) -> cloud:ask({auth_count, Server, prefix(Options)}).

prefix(Options) -> proplists:get_value(prefix, Options, <<>>).

pack(Password) when is_binary(Password) -> {plain, Password};
pack(#scram{storedkey = StoredKey, serverkey = ServerKey, salt = Salt, hash = Hash, iterationcount = Iterations}) ->
    {scram, atom_to_binary(Hash), StoredKey, ServerKey, Salt, Iterations}.

unpack({plain, Password}) -> Password;
unpack({scram, Hash, StoredKey, ServerKey, Salt, Iterations}) ->
    #scram{storedkey = StoredKey, serverkey = ServerKey, salt = Salt, hash = hash(Hash), iterationcount = Iterations}.

hash(<<"sha">>) -> sha;
hash(<<"sha256">>) -> sha256;
hash(<<"sha512">>) -> sha512.
