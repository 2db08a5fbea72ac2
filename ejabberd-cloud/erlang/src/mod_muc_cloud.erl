%%% SPDX-License-Identifier: MIT
%%%
%%% Rooms that stay, and nicknames that belong to somebody: `mod_muc' with `db_type: cloud'. Say `preload_rooms: false' as
%%% well, or each node starts all rooms when it starts.
%%%
%%% A room runs on one node. It is stored on condition that what is there is what this node has read or stored last. If it is
%%% not, another node runs the room, too, and this one ends: who comes to it next gets the one that is stored. The program
%%% remembers what is there; and since it may be started anew while rooms run, so does this module (in the table
%%% `cloud_rooms', by a hash), which tells a program that has forgotten from another node that has written.
-module(mod_muc_cloud).
-behaviour(mod_muc).
-behaviour(mod_muc_room).

-export([init/2, import/3, store_room/5, restore_room/3, forget_room/3, get_rooms/2]).
-export([can_use_nick/4, get_nick/3, set_nick/4]).
%% Who is online is kept by ram_db_type. The behaviour asks for these all the same.
-export([register_online_room/4, unregister_online_room/4, find_online_room/3, find_online_room_by_pid/2]).
-export([get_online_rooms/3, count_online_rooms/2, rsm_supported/0, register_online_user/4, unregister_online_user/4]).
-export([count_online_rooms_by_user/3, get_online_rooms_by_user/3]).
%% Affiliations are among a room's options. Without these functions every room that is set to something ends.
-export([set_affiliation/6, set_affiliations/4, get_affiliation/5, get_affiliations/3, search_affiliation/4]).

-include_lib("kernel/include/logger.hrl").
-include("mod_muc.hrl").

-define(ROOMS, cloud_rooms).
%% Of how many contents of a room, whose fate is not known, it is remembered that they are its own.
-define(TRIED, 8).

init(_Host, _Options) -> cloud:start().
import(_Server, _Table, _Row) -> ok.

store_room(_Server, Host, Name, Options, _Changes) ->
    Packed = term_to_binary(Options),
    case store(Host, Name, Packed) of
        ok -> {atomic, ok};
        {error, conflict} ->
            ?LOG_WARNING("The room ~ts@~ts runs on another node, too; here it ends", [Name, Host]),
            ets:delete(?ROOMS, {Host, Name}),
            %% In the process of the room itself, that is: others call this as well.
            case cloud:is_within([{mod_muc_room, store_room, 2}]) of
                true -> exit({shutdown, another_node});
                false -> {aborted, conflict}
            end;
        {error, Reason} ->
            ?LOG_ERROR("The room ~ts@~ts cannot be stored: ~p", [Name, Host, Reason]),
            {aborted, Reason}
    end.

store(Host, Name, Packed) ->
    Store = {muc_store, Host, Name, Packed},
    Done = case cloud:done(Store) of
               {error, conflict} ->
                   %% It is the one that we know: the program has forgotten it.
                   case cloud:call({muc_restore, Host, Name}) of
                       {ok, Stored} when is_binary(Stored) ->
                           case lists:member(erlang:md5(Stored), known(Host, Name)) of
                               true -> cloud:done(Store);
                               false -> {error, conflict}
                           end;
                       {ok, none} -> {error, conflict};
                       {error, _} = Error -> Error
                   end;
               Other -> Other
           end,
    case Done of
        ok -> know(Host, Name, Packed);
        {error, conflict} -> ok;
        %% It may be stored all the same, and is not another node's then.
        {error, _} ->
            Tried = [erlang:md5(Packed) | known(Host, Name)],
            ets:insert(?ROOMS, {{Host, Name}, lists:sublist(Tried, ?TRIED)})
    end,
    Done.

know(Host, Name, Packed) -> ets:insert(?ROOMS, {{Host, Name}, [erlang:md5(Packed)]}).

known(Host, Name) ->
    case ets:lookup(?ROOMS, {Host, Name}) of
        [{_, Hashes}] -> Hashes;
        [] -> []
    end.

%% An outage raises: `error' would be no room, and whoever comes would get a new one of that name, as its owner.
restore_room(_Server, Host, Name) ->
    case cloud:call({muc_restore, Host, Name}) of
        {ok, none} -> error;
        {ok, Packed} ->
            know(Host, Name, Packed),
            mod_muc:opts_to_binary(binary_to_term(Packed));
        {error, Reason} ->
            ?LOG_ERROR("The room ~ts@~ts cannot be restored: ~p", [Name, Host, Reason]),
            error({cloud, Reason})
    end.

forget_room(_Server, Host, Name) ->
    ets:delete(?ROOMS, {Host, Name}),
    case cloud:done({muc_forget, Host, Name}) of
        ok -> {atomic, ok};
        {error, Reason} -> {aborted, Reason}
    end.

get_rooms(_Server, Host) ->
    [#muc_room{name_host = {Name, Host}, opts = mod_muc:opts_to_binary(binary_to_term(Packed))}
     || {Name, Packed} <- cloud:ask({muc_all, Host})].

%% During an outage nobody may: a refusal can be tried again, and a name that is somebody's is not taken from him.
can_use_nick(_Server, Host, JID, Nick) ->
    case cloud:call({muc_nick_owner, Host, Nick}) of
        {ok, none} -> true;
        {ok, Owner} -> Owner == bare(JID);
        {error, _} -> false
    end.

get_nick(_Server, Host, JID) ->
    case cloud:ask({muc_nick, Host, bare(JID)}) of
        none -> error;
        Nick -> Nick
    end.

set_nick(_Server, Host, JID, <<>>) -> atomic(cloud:done({muc_remove_nick, Host, bare(JID)}));
set_nick(_Server, Host, JID, Nick) -> atomic(cloud:done({muc_set_nick, Host, bare(JID), Nick})).

atomic(ok) -> {atomic, ok};
atomic({error, exists}) -> {atomic, false};
atomic({error, Reason}) -> {aborted, Reason}.

bare(JID) -> cloud:bare(jid:tolower(jid:remove_resource(JID))).

register_online_room(Server, Room, Host, Pid) -> mod_muc_mnesia:register_online_room(Server, Room, Host, Pid).
unregister_online_room(Server, Room, Host, Pid) -> mod_muc_mnesia:unregister_online_room(Server, Room, Host, Pid).
find_online_room(Server, Room, Host) -> mod_muc_mnesia:find_online_room(Server, Room, Host).
find_online_room_by_pid(Server, Pid) -> mod_muc_mnesia:find_online_room_by_pid(Server, Pid).
get_online_rooms(Server, Host, Page) -> mod_muc_mnesia:get_online_rooms(Server, Host, Page).
count_online_rooms(Server, Host) -> mod_muc_mnesia:count_online_rooms(Server, Host).
rsm_supported() -> mod_muc_mnesia:rsm_supported().
register_online_user(Server, JID, Room, Host) -> mod_muc_mnesia:register_online_user(Server, JID, Room, Host).
unregister_online_user(Server, JID, Room, Host) -> mod_muc_mnesia:unregister_online_user(Server, JID, Room, Host).
count_online_rooms_by_user(Server, User, Host) -> mod_muc_mnesia:count_online_rooms_by_user(Server, User, Host).
get_online_rooms_by_user(Server, User, Host) -> mod_muc_mnesia:get_online_rooms_by_user(Server, User, Host).

set_affiliation(_Server, _Room, _Host, _JID, _Affiliation, _Reason) -> {error, not_implemented}.
set_affiliations(_Server, _Room, _Host, _Affiliations) -> {error, not_implemented}.
get_affiliation(_Server, _Room, _Host, _User, _UserServer) -> {error, not_implemented}.
get_affiliations(_Server, _Room, _Host) -> {error, not_implemented}.
search_affiliation(_Server, _Room, _Host, _Affiliation) -> {error, not_implemented}.
