%%% SPDX-License-Identifier: MIT
%%%
%%% What is said in rooms, as pages in S3 that a browser reads. It is loaded in place of `mod_muc_log', which has no backends:
%%% rooms talk to a process by its name, and this one takes the name.
-module(mod_muc_log_cloud).
-behaviour(gen_mod).
-behaviour(gen_server).

-export([start/2, stop/1, reload/3, depends/2, mod_opt_type/1, mod_options/1, mod_doc/0, start_link/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-include_lib("kernel/include/logger.hrl").
-include("xmpp.hrl").

start(Host, _Options) ->
    cloud:start(),
    supervisor:start_child(ejabberd_gen_mod_sup, #{id => name(Host), start => {?MODULE, start_link, [Host]}}).

stop(Host) ->
    supervisor:terminate_child(ejabberd_gen_mod_sup, name(Host)),
    supervisor:delete_child(ejabberd_gen_mod_sup, name(Host)),
    ok.

reload(_Host, _New, _Old) -> ok.
depends(_Host, _Options) -> [{mod_muc, hard}].

mod_opt_type(access_log) -> econf:acl().
mod_options(_Host) -> [{access_log, muc_admin}].
mod_doc() ->
    #{desc => ["Logs of rooms as pages in S3."],
      opts => [{access_log, #{value => "AccessName", desc => ["Who may have a room logged."]}}]}.

name(Host) -> gen_mod:get_module_proc(Host, mod_muc_log).
start_link(Host) -> gen_server:start_link({local, name(Host)}, ?MODULE, Host, []).
init(Host) -> {ok, Host}.

handle_call({check_access_log, Server, From}, _, Host) ->
    Access = gen_mod:get_module_opt(Host, ?MODULE, access_log),
    {reply, acl:match_rule(Server, Access, From), Host};
handle_call(_, _, Host) -> {reply, ok, Host}.

handle_cast({add_to_log, Type, Data, Room, _Options}, Host) ->
    case event(Type, Data) of
        none -> ok;
        Event ->
            At = erlang:system_time(microsecond),
            case cloud:done({muclog_add, jid:encode(jid:remove_resource(Room)), At, Event}) of
                ok -> ok;
                {error, Reason} -> ?LOG_WARNING("A line for the log of ~ts is lost: ~p", [jid:encode(Room), Reason])
            end
    end,
    {noreply, Host};
handle_cast(_, Host) -> {noreply, Host}.

handle_info(_, Host) -> {noreply, Host}.

event(text, {_, #message{subject = [], body = []}}) -> none;
event(text, {Nick, #message{subject = [], body = Body}}) -> {message, Nick, xmpp:get_text(Body)};
event(text, {Nick, #message{subject = Subject}}) -> {subject, Nick, xmpp:get_text(Subject)};
event(join, Nick) -> {join, Nick};
event(leave, {Nick, Reason}) -> {leave, Nick, Reason};
event(nickchange, {Old, New}) -> {rename, Old, New};
event(kickban, {Nick, Reason, Code}) -> {kick, Nick, Reason, Code == 301};
event(room_existence, created) -> {note, <<"The room is created">>};
event(room_existence, destroyed) -> {note, <<"The room is destroyed">>};
event(room_existence, started) -> {note, <<"The room is started">>};
event(room_existence, stopped) -> {note, <<"The room is stopped">>};
event(roomconfig_change, _) -> {note, <<"The room is set to something else">>};
event(roomconfig_change_enabledlogging, _) -> {note, <<"The log begins">>};
event(_, _) -> none.
